import msgspec
import pytest

from tdvc.errors import FormatError
from tdvc.formats._json import ends_of, parse_strictly, read_json

DECODERS = {"typed": msgspec.json.Decoder(dict[str, list[int]]).decode, "strict": parse_strictly}


def refused(path, content, decode, limit_bytes=1 << 20):
    path.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_json(path, limit_bytes, decode)
    assert caught.value.code == "bad-format-file"
    assert caught.value.message.startswith(f"{path.name} ")
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 200
    return caught.value.message


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
@pytest.mark.parametrize("content", [b'{"a": [1]}', b'\xef\xbb\xbf{"a": [1]}'])
def test_a_document_with_or_without_a_mark(tmp_path, decode, content):
    place = tmp_path / "x.json"
    place.write_bytes(content)
    assert list(read_json(place, 100, decode)) == ["a"]


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a":\n [1,, 2]}', "line 2, column 5, before ', 2]}'"),
        (b'{"a": [1', ""),
        (b"", ""),
        (b'{"a": [1]} x', "at line 1, column 1"),
        (b'{"a": "\xff"}', ""),
        (b'{"a": ' + b"[" * 200_000, ""),
    ],
)
def test_the_place_of_what_is_no_json_is_said(tmp_path, decode, content, said):
    assert said in refused(tmp_path / "x.json", content, decode)


def test_what_is_wrong_with_a_document_is_said(tmp_path):
    assert "at `$[...]`" in refused(tmp_path / "x.json", b'{"a": 1}', DECODERS["typed"])
    assert "gives the key 'a' twice" in refused(tmp_path / "x.json", b'{"a": 1, "a": 2}', parse_strictly)
    assert "NaN" in refused(tmp_path / "x.json", b'{"a": NaN}', parse_strictly)


def test_a_file_that_is_too_long_or_not_there_is_refused(tmp_path):
    assert "is larger than" in refused(tmp_path / "x.json", b" " * (3 << 20) + b"{}", parse_strictly, 2 << 20)
    with pytest.raises(FormatError) as caught:
        read_json(tmp_path / "gone.json", 1, parse_strictly)
    assert "could not be read" in caught.value.message


def test_beginning_and_end_tell_what_a_file_is(tmp_path):
    place = tmp_path / "x.json"
    place.write_bytes(b"\xef\xbb\xbf \n{first" + b"." * 100 + b"last}")
    assert ends_of(place, 16).startswith(b"{first")
    assert ends_of(place, 16).endswith(b"last}")
    assert len(ends_of(place, 16)) <= 32
    assert ends_of(tmp_path / "gone.json") == b""
