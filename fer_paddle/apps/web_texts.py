"""The words of the page, in English and Chinese, its style, and the HTML of its results."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fer_paddle.labels import class_colors, class_names_zh
from fer_paddle.pipeline import Face

LANGUAGES = {"English": "en", "中文": "zh"}
# Key of a component -> English, Chinese.
TEXTS = {
    "title": ("Facial expressions", "人脸表情识别"),
    "subtitle": (
        "Find the faces of an image and name their expressions. All is computed on this machine; "
        "uploads are deleted after ten minutes.",
        "找出图像中的人脸并识别表情。一切都在这台机器上计算，上传的文件十分钟后删除。",
    ),
    "tab_image": ("Image", "图像"),
    "tab_webcam": ("Webcam", "摄像头"),
    "tab_video": ("Video", "视频"),
    "tab_course": ("Course corner", "课程角"),
    "image": ("Image: upload, paste or take one", "图像：上传、粘贴或拍摄"),
    "examples": ("Examples", "示例"),
    "run": ("Recognize", "识别"),
    "annotated": ("Result: click a face to see why", "结果：点击人脸查看依据"),
    "settings": ("Settings", "设置"),
    "network": ("Network (accuracy, size)", "网络（准确率，大小）"),
    "runtime": ("Runtime", "推理引擎"),
    "landmarks": ("Landmarks and pose", "关键点与头部姿态"),
    "pose": (
        "yaw {yaw_deg:.0f}°, pitch {pitch_deg:.0f}°, roll {roll_deg:.0f}°",
        "偏航 {yaw_deg:.0f}°，俯仰 {pitch_deg:.0f}°，翻滚 {roll_deg:.0f}°",
    ),
    "score": ("Least score of a face", "人脸最低置信度"),
    "json": ("JSON", "下载 JSON"),
    "csv": ("CSV", "下载 CSV"),
    "why": ("Why: Grad-CAM of the face", "依据：该人脸的 Grad-CAM"),
    "webcam": ("Webcam", "摄像头"),
    "live": ("Live result", "实时结果"),
    "video": ("Video: upload or record (the first minute is used)", "视频：上传或录制（取前一分钟）"),
    "run_video": ("Recognize the video", "识别视频"),
    "annotated_video": ("Annotated video", "标注后的视频"),
    "plot": ("Expressions over time", "表情随时间的变化"),
    "video_csv": ("CSV: a row a face and frame", "CSV：每帧每张人脸一行"),
    "left": ("First network", "网络一"),
    "right": ("Second network", "网络二"),
    "compare": ("Compare on the image of the first tab", "用第一页的图像比较"),
    "stages": ("Stages of the pipeline", "流水线的各个阶段"),
    "footer": (
        "Not for surveillance, hiring, grading people or medical use. A face does not tell what someone feels; "
        "networks err, and more often for groups that are rare in their data.",
        "请勿用于监控、招聘、给人打分或医疗。表情不等于内心感受；网络会出错，对数据中少见的人群错得更多。",
    ),
    "no_image": ("Choose an image first.", "请先选择一张图像。"),
    "no_face": (
        "No face was found. Lower the least score, or try a larger face.",
        "没有找到人脸。请降低最低置信度，或换一张人脸更大的图像。",
    ),
    "no_paddle": (
        "Grad-CAM needs Paddle and a network that ships as .safetensors.",
        "Grad-CAM 需要 Paddle 和 .safetensors 格式的网络。",
    ),
    "boxes": ("1 faces found", "1 找到的人脸"),
    "crops": ("2 square crops", "2 正方形裁剪"),
    "batch": ("3 gray, resized: the input", "3 灰度并缩放：网络输入"),
    "maps": ("4 Grad-CAM: where it looks", "4 Grad-CAM：网络看哪里"),
    "columns": ("network|answers|size|ms a face", "网络|结果|大小|每张人脸毫秒"),
}
STYLE = """<style>
.gradio-container { max-width: 1080px !important; margin: auto !important; }
#head h1 { font-size: 1.6rem; margin: 0.2rem 0 0; font-weight: 650; }
#head p, #foot p { color: var(--body-text-color-subdued); margin: 0.2rem 0; font-size: 0.9rem; }
.face { margin: 0.4rem 0 0.9rem; }
.face h3 { margin: 0 0 0.3rem; font-size: 1rem; }
.bar { display: grid; grid-template-columns: 5.5rem 1fr 3rem; gap: 0.5rem; align-items: center; font-size: 0.85rem; }
.bar i { display: block; height: 0.65rem; border-radius: 0.35rem; min-width: 2px; }
.bar span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.networks { width: 100%; border-collapse: collapse; font-size: 0.9rem; }
.networks th, .networks td { text-align: left; padding: 0.35rem 0.5rem; }
.networks tr { border-bottom: 1px solid var(--border-color-primary); }
</style>"""


def text(key: str, language: str) -> str:
    """Return the words of a key."""
    return TEXTS[key][language == "zh"]


def heading(language: str) -> str:
    """Return the head of the page."""
    return f"<h1>{escape(text('title', language))}</h1><p>{escape(text('subtitle', language))}</p>"


def paragraph(key: str, language: str) -> str:
    """Return one paragraph."""
    return f"<p>{escape(text(key, language))}</p>"


def bars(faces: Sequence[Face], language: str) -> str:
    """Return the probabilities of each face as bars, the faces in their order in the image."""
    if not faces:
        return paragraph("no_face", language)
    parts = []
    for number, face in enumerate(faces, 1):
        names = class_names_zh(face.classes) if language == "zh" else face.classes
        title = f"{number} · {names[face.classes.index(face.label)]}"
        rows = "".join(
            f"<div class='bar'><span>{escape(name)}</span>"
            f"<i style='width:{100 * prob:.1f}%;background:rgb({color[2]},{color[1]},{color[0]})'></i>"
            f"<span>{prob:.0%}</span></div>"
            for name, prob, color in zip(names, face.probs.tolist(), class_colors(face.classes))
        )
        pose = f"<p>{text('pose', language).format(**face.pose.to_json())}</p>" if face.pose else ""
        parts.append(f"<div class='face'><h3>{escape(title)}</h3>{rows}{pose}</div>")
    return "".join(parts)


def comparison(rows: Sequence[Sequence[str]], language: str) -> str:
    """Return the table of the course corner."""
    head = "".join(f"<th>{escape(name)}</th>" for name in text("columns", language).split("|"))
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table class='networks'><tr>{head}</tr>{body}</table>"
