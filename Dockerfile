# The HTTP service. Build: docker build -t fer-paddle . ; run it with compose.yaml, which makes the root read-only.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY fer_paddle fer_paddle
COPY yolo3tiny yolo3tiny
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir ".[api]"

FROM python:3.11-slim
# opencv-python opens these two when it is imported.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
COPY --from=build /venv /venv
RUN useradd --system --uid 10001 --no-create-home fer
USER fer
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
  ["/venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/venv/bin/fer", "serve", "--host", "0.0.0.0"]
