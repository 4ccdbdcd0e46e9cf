"""Models from a hub: a small server on this machine that answers as the hub does."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.model_folders import BackboneError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    folder = None

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        self.server.asked.append(self.path)
        path = self.path.split("?")[0]
        prefix = "/shop/model/resolve/"
        file = self.server.folder / path.rsplit("/", 1)[-1]
        if path.startswith("/api/models/shop/model"):
            names = [f.name for f in self.server.folder.iterdir()] + ["onnx/model.safetensors"]
            if "/tree/" in path:
                answer = [{"type": "file", "path": name, "oid": "0" * 40, "size": 1} for name in names]
            else:
                answer = {"id": "shop/model", "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
            content = json.dumps(answer).encode()
        elif path.startswith(prefix) and file.is_file():
            content = file.read_bytes()
        else:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.folder, server.asked = tmp_path / "remote", []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    address = f"http://127.0.0.1:{server.server_port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, address)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_download_once_then_from_the_cache(hub, gpt, tmp_path, monkeypatch):
    gpt.save(hub.folder)
    (hub.folder / "pytorch_model.bin").write_bytes(b"pickle")
    architecture = load_backbone("shop/model", pretrained=False)
    assert architecture.width == 64
    assert not any("safetensors" in path for path in hub.asked)

    loaded = load_backbone("shop/model")
    assert (embed_texts(loaded, ["red shoe"]) == embed_texts(gpt, ["red shoe"])).all()
    assert not any(".bin" in path or "onnx" in path for path in hub.asked)

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert load_backbone("shop/model").kind == "decoder"


def test_pickled_weights_of_the_hub_are_refused_and_not_fetched(hub, bert):
    bert.save(hub.folder)
    (hub.folder / "model.safetensors").rename(hub.folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match=r"no complete model\.safetensors"):
        load_backbone("shop/model")
    assert not any(".bin" in path for path in hub.asked)


def test_a_name_that_the_hub_does_not_know(hub, tmp_path):
    hub.folder.mkdir()
    with pytest.raises(BackboneError, match="knows no model 'shop/other'"):
        load_backbone("shop/other")


def test_offline_by_the_environment(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BackboneError, match="HF_HUB_OFFLINE forbids downloads"):
        load_backbone("shop/model")
    assert hub.asked == []
