"""OME-Zarr at an address, in an archive, and with the metadata of version 0.6."""

import json
import threading
import tracemalloc
import zipfile
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from napari_cellinr import Image, read, write
from napari_cellinr.errors import FileError
from napari_cellinr.io.names import without_secrets

DATA = np.random.default_rng(0).poisson(50, (3, 40, 50)).astype(np.uint16)
IMAGE = Image(DATA, axes="TYX", scale=(2.0, 0.1, 0.2), units=("second", "micrometer", "micrometer"))


class Handler(SimpleHTTPRequestHandler):
    """Serves files, and remembers which."""

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@contextmanager
def served(folder, handler=Handler):
    """Serve a folder on the loopback address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def same(found):
    np.testing.assert_array_equal(found.array(), DATA)
    assert (found.axes, found.scale, found.units) == (IMAGE.axes, IMAGE.scale, IMAGE.units)
    assert found.name == "cells"


@pytest.fixture
def each_chunk(monkeypatch):
    """Let each chunk be read on its own; small ones are read together otherwise."""
    monkeypatch.setattr("napari_cellinr.io.lazy._CHUNK", 1)


def test_an_address_is_read_and_only_what_is_needed_is_fetched(tmp_path, each_chunk):
    pytest.importorskip("aiohttp")
    write(tmp_path / "cells.ome.zarr", IMAGE)
    with served(tmp_path) as (server, address):
        found = read(f"{address}/cells.ome.zarr/")
        assert not [path for path in server.asked if "/c/" in path]
        np.testing.assert_array_equal(found.take("T", 1).array(), DATA[1])
        assert {path for path in server.asked if "/c/" in path} == {"/cells.ome.zarr/0/c/1/0/0"}
        same(found)


def test_an_address_is_denoised_in_parts(tmp_path):
    pytest.importorskip("aiohttp")
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import finish
    from napari_cellinr.runs.scale.make import make_plan
    from napari_cellinr.runs.scale.run import run_plan
    from napari_cellinr.runs.scale.source import Source

    write(tmp_path / "cells.zarr", IMAGE)
    config, results = CellINRConfig(preset="preview"), []
    with served(tmp_path) as (_, address):
        for name, place in (("a", str(tmp_path / "cells.zarr")), ("b", f"{address}/cells.zarr")):
            out = tmp_path / f"{name}.zarr"
            plan = make_plan("denoise", Source(place), config, {"result": str(out)}, 1e12)
            assert finish(run_plan(plan)).is_complete
            results.append(read(out).array())
    np.testing.assert_array_equal(*results)


class Endless(Handler):
    """Answers with metadata without end, of which no size is stated."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):  # the reader goes
            self.wfile.write(b'{"zarr_format": 3, "a": "')
            while True:
                self.wfile.write(b"a" * 2**20)
                self.server.asked.append(self.path)


def test_metadata_without_end_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setattr("napari_cellinr.io.zarr.remote._LARGEST_METADATA", 2**22)
    match = pytest.raises(FileError, match=r"zarr\.json has more than 4194304 bytes")
    with served(tmp_path, Endless) as (server, address), match:
        read(f"{address}/cells.zarr")
    assert len(server.asked) < 40


def test_a_chunk_that_is_larger_than_announced_is_not_fetched(tmp_path):
    pytest.importorskip("aiohttp")
    path = write(tmp_path / "cells.zarr", IMAGE)
    (path / "0" / "c" / "0" / "0" / "0").write_bytes(b"0" * 2**24)
    with served(tmp_path) as (_, address):
        image = read(f"{address}/cells.zarr")
        with pytest.raises(FileError, match="has more than 1048576 bytes"):
            image.array()


@pytest.mark.parametrize("keeps_ranges", [True, False])
def test_ranges_are_read_also_from_servers_that_ignore_them(tmp_path, keeps_ranges):
    pytest.importorskip("aiohttp")
    from napari_cellinr.io.zarr.remote import remote

    class Ranges(Handler):
        def do_GET(self):
            data, first, end = b"0123456789", 0, 10
            if keeps_ranges and (asked := self.headers["Range"]):
                one, other = asked.removeprefix("bytes=").split("-")
                first, end = (int(one or 10 - int(other)), int(other) + 1 if one and other else 10)
            self.send_response(206 if (first, end) != (0, 10) else 200)
            self.end_headers()
            self.wfile.write(data[first:end])

    async def found(address, asked):
        store = remote(address)
        got = await store.get("c/0", default_buffer_prototype(), asked)
        return got.to_bytes()

    with served(tmp_path, Ranges) as (_, address):
        for asked, expected in (
            (None, b"0123456789"),
            (RangeByteRequest(2, 5), b"234"),
            (OffsetByteRequest(7), b"789"),
            (SuffixByteRequest(2), b"89"),
        ):
            assert sync(found(f"{address}/a.zarr", asked)) == expected


def test_an_address_is_noted_without_password():
    address = "https://me:secret@example.org:8443/a/cells.zarr?token=secret#x"
    assert without_secrets(address) == "https://example.org:8443/a/cells.zarr"
    for text in ("https://example.org/cells.zarr", "/data/a@b?c.zarr", "s3://bucket/cells.zarr"):
        assert without_secrets(text) == text


def test_an_address_at_which_nothing_is_or_nobody_answers_is_named(tmp_path):
    pytest.importorskip("aiohttp")
    with served(tmp_path) as (_, address), pytest.raises(FileError, match="holds no Zarr"):
        read(f"{address}/none.zarr")
    with pytest.raises(FileError, match=r"none\.zarr cannot be read"):
        read(f"{address}/none.zarr")


@pytest.mark.parametrize("address", ["http://", "https:///", "s3://", "https://["])
def test_an_address_without_a_server_is_no_folder_of_this_computer(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "cells.zarr", IMAGE)
    (tmp_path / "cells.zarr").rename(tmp_path / address.partition("/")[0])
    with pytest.raises(FileError, match="names no server"):
        read(address)


def test_without_the_extra_its_name_is_said(monkeypatch):
    from napari_cellinr.io.zarr import remote

    def without(*_, **__):
        raise ImportError("install aiohttp")

    monkeypatch.setattr(remote.FsspecStore, "from_url", without)
    with pytest.raises(FileError, match=r"napari-cellinr\[remote\]"):
        read("s3://bucket/cells.zarr")
    with pytest.raises(FileError) as told:
        read("https://me:secret@example.org/cells.zarr?token=secret")
    assert "https://example.org/cells.zarr is an address" in str(told.value)
    assert "secret" not in str(told.value)


def packed(folder, archive):
    """Put a folder into an archive."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    return archive


def test_an_archive_is_read(tmp_path):
    folder = write(tmp_path / "cells.ome.zarr", IMAGE)
    same(read(packed(folder, tmp_path / "cells.ozx")))


def test_an_archive_with_faults_is_named(tmp_path):
    place = tmp_path / "cells.ozx"
    place.write_bytes(b"no archive")
    with pytest.raises(FileError, match="no ZIP archive"):
        read(place)
    packed(tmp_path / "nothing", place)
    with pytest.raises(FileError, match=r"cells\.ozx"):
        read(place)
    folder = write(tmp_path / "cells.zarr", IMAGE)
    packed(folder, place)
    with zipfile.ZipFile(place, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("0/c/0/0/1", b"")
    data = place.read_bytes()
    place.write_bytes(data[: len(data) // 2])
    with pytest.raises(FileError, match="no ZIP archive, or it is incomplete"):
        read(place)


def test_a_chunk_that_unpacks_to_more_than_announced_is_refused(tmp_path, each_chunk):
    folder = write(tmp_path / "cells.zarr", IMAGE)
    (folder / "0" / "c" / "1" / "0" / "0").unlink()
    place = packed(folder, tmp_path / "cells.ozx")
    with zipfile.ZipFile(place, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("0/c/1/0/0", bytes(200 * 2**20))
    image = read(place)
    np.testing.assert_array_equal(image.take("T", 0).array(), DATA[0])
    with pytest.raises(FileError, match="is damaged"):
        image.take("T", 1).array()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_an_archive_that_states_wrong_sizes_unpacks_no_more_than_them(tmp_path, each_chunk, method):
    folder = write(tmp_path / "cells.zarr", IMAGE)
    (folder / "0" / "c" / "1" / "0" / "0").unlink()
    place = packed(folder, tmp_path / "cells.ozx")
    with zipfile.ZipFile(place, "a", method) as file:
        file.writestr("0/c/1/0/0", bytes(200 * 2**20))
    data = bytearray(place.read_bytes())
    stated = data.rfind(b"PK\x01\x02") + 24  # in the last entry of the directory of the archive
    assert int.from_bytes(data[stated : stated + 4], "little") == 200 * 2**20
    data[stated : stated + 4] = (64).to_bytes(4, "little")
    place.write_bytes(data)
    image = read(place)
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match="is damaged"):
            image.take("T", 1).array()
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shards", [None, (1, 40, 50)])
def test_parts_of_files_in_an_archive_are_those_of_a_folder(tmp_path, each_chunk, shards):
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=DATA.shape, chunks=(1, 20, 25), shards=shards, dtype="uint16"
    )
    array[:] = DATA
    place = packed(tmp_path / "a.zarr", tmp_path / "a.ozx")
    np.testing.assert_array_equal(read(place).array(), DATA)
    image = read(place).crop(Q=slice(1, 2), Y=slice(0, 10))
    np.testing.assert_array_equal(image.array(), DATA[1:2, :10])


@pytest.mark.parametrize("named", [str, lambda name: {"name": name}])
def test_coordinate_systems_of_version_0_6(tmp_path, named):
    folder = write(tmp_path / "cells.ome.zarr", IMAGE)
    place = folder / "zarr.json"
    facts = json.loads(place.read_text())
    facts["attributes"] = {"ome": facts["attributes"]["ome"]}
    ome = facts["attributes"]["ome"]
    ome["version"] = "0.6"
    (scales,) = ome["multiscales"]
    axes = scales.pop("axes")
    scales["coordinateSystems"] = [
        {"name": "stage", "axes": [{"name": n} for n in "cba"]},
        {"name": "physical", "axes": axes},
    ]
    scales["coordinateTransformations"] = [
        {"type": "rotation", "rotation": [[1]], "input": "physical", "output": "stage"}
    ]
    for one in scales["datasets"]:
        one["coordinateTransformations"] = [
            {
                "type": "sequence",
                "input": named(one["path"]),
                "output": named("physical"),
                "transformations": [
                    {"type": "scale", "scale": [2.0, 0.1, 0.2]},
                    {"type": "translation", "translation": [0.0, 1.0, 2.0]},
                ],
            }
        ]
    place.write_text(json.dumps(facts))
    found = read(folder)
    same(found)
    assert found.translate == (0.0, 1.0, 2.0)


class Bucket(Handler):
    """Answers as S3 does: with keys that begin with a prefix, and errors as XML."""

    def do_GET(self):
        address = urlsplit(self.path)
        if "list-type=2" not in address.query:
            super().do_GET()
            return
        (prefix,) = parse_qs(address.query).get("prefix", [""])
        folder = Path(self.translate_path(address.path))
        keys = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        found = [f"<Contents><Key>{key}</Key><Size>1</Size></Contents>"
                 for key in keys if key.startswith(prefix)]  # fmt: skip
        count = f"<KeyCount>{len(found)}</KeyCount>"
        self._answer(200, f"<ListBucketResult>{count}{''.join(found)}</ListBucketResult>")

    def send_error(self, code, message=None, explain=None):
        self._answer(code, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")

    def _answer(self, code, text):
        self.send_response(code)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(text.encode())


def test_a_bucket_is_read(tmp_path, each_chunk, monkeypatch):
    pytest.importorskip("s3fs")
    import fsspec.config

    (tmp_path / "bucket").mkdir()
    write(tmp_path / "bucket" / "cells.zarr", IMAGE)
    with served(tmp_path, Bucket) as (server, address):
        monkeypatch.setitem(fsspec.config.conf, "s3", {"anon": True, "endpoint_url": address})
        found = read("s3://bucket/cells.zarr")
        assert not [path for path in server.asked if "/c/" in path]
        same(found)
        with pytest.raises(FileError, match=r"none\.zarr"):
            read("s3://bucket/none.zarr")
