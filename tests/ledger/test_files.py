"""Files and folders that are whole or not there."""

import stat
from pathlib import Path

import pytest

from ledger.files import new_whole


def test_a_new_file_has_its_name_once_it_is_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with new_whole(path) as beside:
        beside.write_bytes(b"whole")
        assert not path.exists()
        assert beside.parent == tmp_path
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"whole", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_folder_has_its_name_once_it_is_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with new_whole(path, folder=True) as beside:
        (beside / "inner").mkdir()
        (beside / "inner" / "file").write_bytes(b"whole")
        assert not path.exists()
    assert ((path / "inner" / "file").read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"whole", 0o700)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_whatever_ends_it_nothing_partial_stays(tmp_path: Path, folder: bool, error: BaseException) -> None:
    with pytest.raises(type(error)), new_whole(tmp_path / "out", folder=folder) as beside:
        (beside / "part" if folder else beside).write_bytes(b"part")
        raise error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [False, True])
def test_what_has_the_name_already_or_gets_it_meanwhile_stays_as_it_is(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "out"
    with pytest.raises(FileExistsError), new_whole(path, folder=folder):
        path.write_bytes(b"another's")
    with pytest.raises(FileExistsError), new_whole(path, folder=folder):
        pytest.fail("the block ran")
    assert path.read_bytes() == b"another's"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_leads_nowhere_is_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError), new_whole(tmp_path / "out"):
        pytest.fail("the block ran")
