import os
import struct
import zipfile

import pytest

from sparring.data import listing as listing_module
from sparring.data.listing import list_files
from sparring.errors import SparringError
from sparring.kinds.images.options import SUFFIXES


def names(path):
    with list_files(path, SUFFIXES) as listing:
        return [entry.name for entry in listing.entries]


def skipped(path):
    with list_files(path, SUFFIXES) as listing:
        return {one.path: one.reason for one in listing.skipped}


def others(path):
    with list_files(path, SUFFIXES) as listing:
        return listing.others


def fill(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"content")


@pytest.fixture
def packed(tmp_path):
    """Write members (name: content) to a zip file."""

    def pack(members, name="set.zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return tmp_path / name

    return pack


def patch(path, offset, content, start=b"PK\x01\x02"):
    """Overwrite bytes of the first record of the central directory."""
    data = bytearray(path.read_bytes())
    at = data.index(start) + offset
    data[at : at + len(content)] = content
    path.write_bytes(data)


def test_a_folder_is_listed_recursively_in_order_of_names(tmp_path):
    fill(tmp_path, "b/2.png", "a.JPG", "b/c/1.webp", "B.png")
    assert names(tmp_path) == ["B.png", "a.JPG", "b/2.png", "b/c/1.webp"]


def test_hidden_files_and_folders_are_ignored(tmp_path):
    fill(tmp_path, ".a.png", ".git/b.png", "__MACOSX/c.png", "d.png")
    assert names(tmp_path) == ["d.png"]
    assert skipped(tmp_path) == {}
    assert others(tmp_path) == []


def test_files_not_named_as_images_are_set_apart(tmp_path):
    fill(tmp_path, "notes.txt", "b/Thumbs.db", "a.png")
    assert names(tmp_path) == ["a.png"]
    assert others(tmp_path) == ["b/Thumbs.db", "notes.txt"]


def test_empty_files_and_archives_inside_are_skipped_by_name(tmp_path):
    fill(tmp_path, "more.zip")
    (tmp_path / "a.png").touch()
    assert skipped(tmp_path) == {
        "a.png": "empty file",
        "more.zip": "an archive inside the data; unpack it first",
    }


def test_what_is_no_regular_file_is_skipped_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert skipped(tmp_path) == {
        "gone.png": "not there any more, or a broken link",
        "pipe.png": "not a regular file",
    }


def test_links_in_a_circle_end(tmp_path):
    fill(tmp_path, "a/1.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert names(tmp_path) == ["a/1.png"]


def test_a_linked_folder_is_followed(tmp_path):
    fill(tmp_path / "else", "1.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "cats").symlink_to(tmp_path / "else")
    assert names(tmp_path / "set") == ["cats/1.png"]


def test_strange_names_are_kept_and_control_characters_escaped(tmp_path):
    fill(tmp_path, "[/x]é猫 <b>.png", "two\nlines.png")
    (tmp_path / os.fsdecode(b"bad\xff.png")).write_bytes(b"x")
    assert names(tmp_path) == ["[/x]é猫 <b>.png", "bad\\udcff.png", "two\\nlines.png"]


def test_an_archive_is_listed_like_the_folder_it_holds(packed):
    path = packed(
        {"b.png": "x", "a/1.png": "x", "__MACOSX/._b.png": "x", ".h.png": "", "n.txt": ""}
    )
    assert names(path) == ["a/1.png", "b.png"]
    assert others(path) == ["n.txt"]


def test_the_single_top_folder_of_an_archive_is_not_a_label(packed):
    assert names(packed({"pets/cat/1.png": "x", "pets/dog/1.png": "x"})) == [
        "cat/1.png",
        "dog/1.png",
    ]


def test_nothing_of_an_archive_is_written_to_disk(packed, tmp_path):
    names(packed({"a.png": "x", "../b.png": "x"}))
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/e.png"])
def test_names_that_lead_out_of_the_archive_are_refused(packed, name):
    path = packed({"ok.png": "x", name: "x"})
    assert skipped(path) == {name: "its name leads out of the archive"}
    assert names(path) == ["ok.png"]


def test_backslashes_in_an_archive_are_separators(packed):
    assert names(packed({"a\\1.png": "x", "b\\2.png": "x"})) == ["a/1.png", "b/2.png"]
    assert skipped(packed({"..\\1.png": "x"})) == {"../1.png": "its name leads out of the archive"}


def test_encrypted_members_are_skipped(packed):
    path = packed({"a.png": "x"})
    patch(path, 8, struct.pack("<H", 1))
    assert skipped(path) == {"a.png": "encrypted"}


def test_members_that_declare_too_much_are_skipped(packed):
    assert skipped(packed({"zeros.png": bytes(10**7)})) == {
        "zeros.png": "declares more than 1000 times its packed size"
    }
    path = packed({"huge.png": "x"})
    patch(path, 24, struct.pack("<I", 300 * 2**20))
    assert skipped(path) == {"huge.png": "declares 300 MB unpacked, more than 256"}


def test_archives_inside_an_archive_are_skipped(packed):
    assert skipped(packed({"in.zip": "x", "in.tar.gz": "x"})).keys() == {"in.zip", "in.tar.gz"}


def test_too_many_entries_are_refused(packed, monkeypatch):
    monkeypatch.setattr(listing_module, "MAX_ARCHIVE_ENTRIES", 2)
    with pytest.raises(SparringError, match=r"holds 3 files; at most 2 are read.*unpack it"):
        names(packed({f"{i}.png": "x" for i in range(3)}))


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut short"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(SparringError, match=r"set.zip' is not a zip archive that can be read"):
        names(tmp_path / "set.zip")
