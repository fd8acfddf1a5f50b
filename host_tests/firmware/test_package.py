"""The device package as files: the platform's roots, what mip and freezing name, and what the chip can import."""

import ast
import hashlib
import json
import re

import pytest
from cryptography import x509

from tools.firmware import FOLDER, record
from tools.flash.verbs import mip
from tools.image import device_files, release

# direct.md 5.2
FINGERPRINTS = {
    "aliyun": "7C:A4:38:A3:97:6B:52:42:D2:31:F8:61:49:98:22:DA:85:58:31:38:27:35:83:6B:36:1E:7E:97:15:66:16:76",
    "globalsign_r1": "EB:D4:10:40:E4:BB:3E:C7:42:C9:E3:81:D3:1E:F2:A4:1A:48:B6:68:5C:96:E7:CE:F3:C1:DF:6C:D4:33:1C:99",
    "globalsign_r6": "2C:AB:EA:FE:37:D0:6C:A2:2A:BA:73:91:C0:03:3D:25:98:29:52:C4:53:64:73:49:76:3A:3A:B5:AD:6C:CF:69",
}
ON_CHIP = {
    "aliot",
    "array",
    "binascii",
    "cryptolib",
    "esp32",
    "gc",
    "hashlib",
    "io",
    "json",
    "machine",
    "micropython",
    "network",
    "ntptime",
    "os",
    "select",
    "socket",
    "struct",
    "sys",
    "time",
    "tls",
    "umqtt",
    "asyncio",
}
SOURCES = sorted(
    path
    for path in FOLDER.rglob("*.py")
    if path.name != "manifest.py"
    and "tests" not in path.relative_to(FOLDER).parts  # of a project: on the host
)


def test_the_roots_are_the_platform_s():
    found = {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (FOLDER / "aliot/roots").glob("*.der")
    }
    assert found == {name: text.replace(":", "").lower() for name, text in FINGERPRINTS.items()}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_each_root_is_one_certificate_of_a_root(name):
    root = x509.load_der_x509_certificate((FOLDER / f"aliot/roots/{name}.der").read_bytes())
    assert root.subject == root.issuer
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_every_root_that_an_endpoint_names_is_there():
    from aliot.endpoint import PUBLIC, Endpoint

    for port in (443, 1883, 8883):
        assert set(Endpoint("h", port).roots) <= set(FINGERPRINTS)
    assert set(PUBLIC) <= set(FINGERPRINTS)


def test_the_package_for_mip_names_every_file_of_the_release(tmp_path):
    mip.write(tmp_path)
    package = json.loads((tmp_path / "package.json").read_text())
    names = [target for target, source in package["urls"]]
    assert package["urls"] == [[name, name] for name in names] and "deps" not in package
    written = {
        "/" + path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    del written["/package.json"]
    assert sorted(written) == sorted("/" + name for name in names)
    assert {**written, "/main.py": device_files.compile_tree()["/main.py"]} == device_files.compile_tree()


def test_versions_agree(tmp_path):
    from aliot import __version__

    mip.write(tmp_path)
    assert json.loads((tmp_path / "package.json").read_text())["version"].partition("+")[0] == __version__
    assert f'version="{__version__}"' in (FOLDER / "manifest.py").read_text()


def test_a_firmware_with_the_package_frozen_has_what_the_port_freezes():
    manifest = ast.parse((FOLDER / "manifest.py").read_text())
    called = [ast.unparse(node) for node in ast.walk(manifest) if isinstance(node, ast.Call)]
    assert "include('$(PORT_DIR)/boards/manifest.py')" in called and "require('umqtt.simple')" in called


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_a_source_imports_what_a_stock_chip_has(path):
    tree = ast.parse(path.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    project = path.parent if path.parent.parent == FOLDER / "examples" else None
    own = {module.stem for module in project.glob("*.py")} if project else set()
    assert imported <= ON_CHIP | own
    assert "sys.implementation" not in path.read_text()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_no_built_in_is_imported_inside_a_function(path):
    """A chip looks a built-in up on the file system at each such import; only parts of aliot are imported late."""
    tree = ast.parse(path.read_text())
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            assert not isinstance(node, ast.Import), f"{path.name}: {function.name}"
            assert not isinstance(node, ast.ImportFrom) or node.module.startswith("aliot"), (
                f"{path.name}: {function.name}"
            )


def test_a_record_needs_nothing_of_a_chip():
    for name in ("record", "advice"):
        tree = ast.parse((FOLDER / f"aliot/{name}.py").read_text())
        imported = {
            name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
        }
        assert imported <= {"binascii", "struct"}
        assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))


def test_nothing_of_the_core_imports_what_only_some_moments_need():
    """By its statements at the top: what is loaded for a moment is `load`ed, or stands inside a function."""
    core = set(release.units(release.sources())["aliot"])
    known = set(release.sources())
    for name in core:
        for node in ast.parse(release.sources()[name]).body:
            if isinstance(node, ast.ImportFrom) and node.module.startswith("aliot"):
                wanted = {node.module} | {f"{node.module}.{item.name}" for item in node.names}
                assert wanted & known <= core | {"aliot.record"}, (
                    f"{name} imports {wanted}"
                )  # of which constants alone are used


def test_the_tags_of_a_record_are_in_record_alone():
    """Nobody keeps a copy of one: the build folds record.X."""
    tags = {name for name, value in vars(record).items() if name.isupper() and isinstance(value, int)} - {
        "RECORD_LIMIT"
    }
    assert len(tags) > 24
    copies = [
        (path.name, name)
        for path in SOURCES
        if path.name != "record.py"
        for name in re.findall(r"^_?([A-Z][A-Z_0-9]*) = (?:const\()?\d+", path.read_text(), re.MULTILINE)
        if name in tags
    ]
    assert copies == []
