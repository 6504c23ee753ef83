import numpy as np
import pytest

from sparring.data.labels import check_choice, from_folders, indices, read_csv
from sparring.errors import SparringError


@pytest.mark.parametrize("choice", ["auto", "yes", "none", "a.csv", "B.CSV"])
def test_the_choices_are_three_words_or_a_csv_file(choice):
    check_choice(choice)


@pytest.mark.parametrize("choice", ["", "on", "labels.txt", "true"])
def test_another_choice_is_refused(choice):
    with pytest.raises(SparringError, match=r"expected auto, yes, none or a .csv file"):
        check_choice(choice)


def test_a_misspelt_choice_gets_a_hint():
    with pytest.raises(SparringError, match="did you mean 'none'"):
        check_choice("non")


def test_the_first_folder_is_the_label():
    names = ["cat/1.png", "cat/old/2.png", "dog/1.png"]
    assert from_folders(names, required=False) == (["cat", "cat", "dog"], [])


@pytest.mark.parametrize("names", [["1.png", "2.png"], ["cat/1.png", "cat/2.png"]])
def test_fewer_than_two_folders_give_no_labels(names):
    assert from_folders(names, required=False) == (None, [])
    with pytest.raises(SparringError, match="expected two or more"):
        from_folders(names, required=True)


def test_images_outside_of_the_folders_switch_labels_off_with_a_note():
    names = ["cat/1.png", "dog/1.png", "stray.png"]
    labels, notes = from_folders(names, required=False)
    assert labels is None
    assert notes == ["1 files lie outside of the label folders: labels are not used"]
    with pytest.raises(SparringError, match="1 files lie outside"):
        from_folders(names, required=True)


def test_labels_become_indices_into_sorted_names():
    found, names = indices(["dog", "cat", "dog"])
    assert names == ("cat", "dog")
    assert found.tolist() == [1, 0, 1]
    found, names = indices(np.array([7, -1, 7]))
    assert (found.tolist(), names) == ([1, 0, 1], ("-1", "7"))
    assert found.dtype == np.int64


def test_a_csv_gives_the_label_of_each_file(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(b'\xef\xbb\xbflabel,extra,file\r\n cat ,1,./a.png\r\ndog,2,"b,c.png"\r\n')
    assert read_csv(path) == {"a.png": "cat", "b,c.png": "dog"}


def test_a_short_row_of_a_csv_has_no_label(tmp_path):
    (tmp_path / "labels.csv").write_text("file,label\na.png\n")
    assert read_csv(tmp_path / "labels.csv") == {"a.png": ""}


@pytest.mark.parametrize("content", ["", "a.png,cat\n", "file;label\n"])
def test_a_csv_without_the_header_is_refused_with_what_it_starts_with(tmp_path, content):
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(SparringError, match=r"starts with .*; expected the header file,label"):
        read_csv(tmp_path / "labels.csv")


def test_a_csv_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(SparringError, match="cannot be read as labels"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_bytes(b"file,label\n\xff\xfe,x\n")
    with pytest.raises(SparringError, match="cannot be read as labels"):
        read_csv(tmp_path / "bad.csv")
