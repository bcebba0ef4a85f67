# The command line without napari: docker build -t napari-cellinr .
# docker run --rm -v "$PWD:/data" napari-cellinr denoise stack.tif clean.tif
FROM python:3.12-slim
COPY . /source
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \
    -c /source/constraints.txt "/source[cluster,formats]" && rm -r /source
WORKDIR /data
ENTRYPOINT ["napari-cellinr"]
CMD ["--help"]
