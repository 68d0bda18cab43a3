# Awase in containers: two images from one file.
#   docker build --target server -t awase-server .     API, coordinator, pages; no torch
#   docker build --target worker -t awase-worker .     the same with the CPU build of torch

FROM node:22-bookworm-slim AS pages
WORKDIR /src/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY locales /src/locales
COPY frontend ./
RUN npm run build

FROM python:3.11-slim-bookworm AS server
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/awase
COPY requirements.lock ./
RUN pip install --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE alembic.ini ./
COPY alembic ./alembic
COPY locales ./locales
COPY data ./data
COPY dimat ./dimat
COPY worker ./worker
COPY backend ./backend
RUN pip install --no-deps --no-build-isolation --no-index --editable . \
    && useradd --uid 10001 --create-home awase \
    && mkdir -p /var/lib/awase/artifacts \
    && chown -R awase:awase /var/lib/awase
COPY --from=pages /src/frontend/dist ./frontend/dist
ENV AWASE_DATA_DIR=/var/lib/awase AWASE_HOST=0.0.0.0 AWASE_PORT=8765
USER awase
EXPOSE 8765
CMD ["awase", "api"]

FROM server AS worker
USER root
RUN pip install --no-deps --index-url https://download.pytorch.org/whl/cpu torch==2.13.0
USER awase
CMD ["awase", "worker"]
