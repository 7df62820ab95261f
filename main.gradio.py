"""The page as an application of AI Studio, which runs main.gradio.py and names the port in GRADIO_SERVER_PORT."""

from fer_paddle.apps.web import build_page, launch

demo = build_page()
if __name__ == "__main__":
    launch(demo, "0.0.0.0")
