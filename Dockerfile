# Images of the Matrix bot and of the cover service, for processors. scripts/release/build_images.sh builds both; or one:
#   docker build --target bot -t stylecrypt-bot .
#   docker build --target serve -t stylecrypt-serve .
# The bot keeps bot.yaml and its profile in /data. For the health check to work, bot.yaml has `health: {port: 8008}`. The file
# secrets.env has the line STYLECRYPT_PASSPHRASE=...
#   docker run -it --rm -v stylecrypt:/data stylecrypt-bot bot setup
#   docker run -d --restart on-failure -v stylecrypt:/data --env-file secrets.env stylecrypt-bot
# The service reads its clients' tokens from a file that belongs to user 1000 and that nobody else may read.
#   docker run -d --restart on-failure -p 127.0.0.1:8450:8450 -v "$PWD/tokens:/run/secrets/tokens:ro" stylecrypt-serve
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM scratch AS source
COPY . /

# What both share. A secret named pip.conf, if there is one, configures pip while it installs. The files that are deleted are
# models of dlib's that nothing here uses, 109 MB.
FROM $BASE AS stylecrypt
RUN useradd --uid 1000 --create-home stylecrypt && install -d -o stylecrypt -m 700 /data
RUN --mount=type=bind,from=source,target=/src --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    pip install --no-cache-dir --root-user-action ignore -c /src/constraints.txt '/src[identity]' \
    && find / -xdev -name 'shape_predictor_*_face_landmarks.dat' -delete
USER stylecrypt
WORKDIR /data
ENTRYPOINT ["stylecrypt"]

FROM stylecrypt AS serve
USER root
RUN --mount=type=bind,from=source,target=/src --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    pip install --no-cache-dir --root-user-action ignore -c /src/constraints.txt 'stylecrypt-msg[serve]'
USER stylecrypt
EXPOSE 8450
HEALTHCHECK --start-period=60s --interval=60s CMD ["python3", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8450/health', timeout=10)"]
CMD ["serve", "--host", "0.0.0.0", "--tokens", "/run/secrets/tokens"]

FROM stylecrypt AS bot
USER root
RUN --mount=type=bind,from=source,target=/src --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    pip install --no-cache-dir --root-user-action ignore -c /src/constraints.txt 'stylecrypt-msg[bot]'
USER stylecrypt
VOLUME /data
ENV STYLECRYPT_PROFILE=/data/profile
HEALTHCHECK --start-period=60s --interval=60s CMD ["python3", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8008/health', timeout=10)"]
CMD ["bot", "run"]
