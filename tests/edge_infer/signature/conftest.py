"""A signed bundle, and the keys of a site."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from signed_bundle import new_key, sign, write_public

from edge_infer.signature.verify import signature_path


@pytest.fixture(scope="session")
def site_key() -> Any:
    return new_key()


@pytest.fixture(scope="session")
def other_key() -> Any:
    return new_key()


@pytest.fixture(scope="session")
def signed_once(bundle_path: Path, site_key: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "tiny"
    shutil.copytree(bundle_path, folder)
    sign(folder, site_key)
    return folder


@pytest.fixture
def signed(signed_once: Path, tmp_path: Path) -> Path:
    """A signed bundle that the test may damage."""
    folder = tmp_path / "tiny"
    shutil.copytree(signed_once, folder)
    shutil.copy(signature_path(signed_once), signature_path(folder))
    return folder


@pytest.fixture
def keys(site_key: Any, tmp_path: Path) -> Path:
    """The folder of the keys that the site trusts."""
    return write_public(site_key, tmp_path / "keys" / "site.pem").parent


@pytest.fixture(autouse=True)
def no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRAIN_EDGE_TRUST", raising=False)
