from __future__ import annotations

import hashlib
import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tdvc
from tdvc.errors import Corruption, FormatError, NotFound, TdvcError, Usage
from tdvc.loader.samples import Sample, Samples
from tdvc.model.records import make_instance
from tdvc.repo.repository import Repository
from tests.loader.conftest import HEIGHT, WIDTH, damage_blob, folder, freeze, picture
from tests.ops.build import box, stock


def test_samples_are_the_files_of_the_state(pets: Repository) -> None:
    state, samples = pets["v1"], tdvc.load(pets, "v1")
    assert [sample.path for sample in samples] == [file.path for file in state] == samples.paths
    assert [sample.bytes for sample in samples] == [file.read() for file in state]
    assert [sample.instances for sample in samples] == [file.instances for file in state]
    assert [sample.file_id for sample in samples] == [file.file_id for file in state]
    assert [sample.pixels_id for sample in samples] == [file.blob_id for file in state]
    assert [sample.size_bytes for sample in samples] == [file.state.size_bytes for file in state]


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("verify", ["metadata", "full"])
def test_random_access_by_position_and_path(pets: Repository, verify: str, memory_map: bool) -> None:
    samples = tdvc.load(pets, "v1", verify=verify, memory_map=memory_map)
    assert list(samples.epoch(1).iter_bytes()) == [sample.bytes for sample in samples.epoch(1)]
    assert samples[-1].path == samples.paths[-1]
    assert samples["part0/003.png"].bytes == picture(3)
    assert samples.position("all.png") == 0 and "all.png" in samples
    assert "part0" not in samples and "zzz" not in samples and 3 not in samples
    assert samples[2:4].paths == samples.paths[2:4]
    assert samples.read(1) == samples[1].bytes
    with pytest.raises(IndexError):
        samples[30]
    with pytest.raises(NotFound, match=r"no file 'b\.png'"):
        samples["b.png"]


def test_a_slice_knows_its_own_files_alone(pets: Repository) -> None:
    some = tdvc.load(pets, "v1")[::-2]
    assert some.paths == sorted(some.paths) and len(some) == 15
    assert "all.png" not in some and some[some.paths[3]].path == some.paths[3]


def test_where_says_which_files(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1", where="count(label = 'dog' and type = 'box') >= 1 and path like 'part%'")
    assert samples.paths == [file.path for file in pets["v1"] if len(file.instances) == 3]
    assert tdvc.load(pets, "v1", where="label = 'none'").paths == []


def test_where_finds_rows_behind_the_first_page(disk_repository: Repository) -> None:
    stock(disk_repository, "Main", {f"{n:04}": (b"%d" % n, [box()] if n % 100 == 7 else []) for n in range(1200)})
    samples = tdvc.load(disk_repository, where="label = 'dog'")
    assert samples.paths == [f"{n:04}" for n in range(7, 1200, 100)]
    assert [sample.bytes for sample in samples] == [b"%d" % n for n in range(7, 1200, 100)]


def test_transform_makes_what_is_given_out(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1", transform=lambda sample: sample.path.upper())
    assert samples[0] == "ALL.PNG" and next(iter(samples.epoch(shuffle=False))) == "ALL.PNG"
    assert samples.sample(0).path == "all.png"


def test_compressed_large_empty_and_repeated_blobs_are_read(disk_repository: Repository) -> None:
    large = b"\xff\xd8\xff" + bytes(9 << 20)
    files = {"a.txt": b"text " * 1000, "b.jpg": large, "c": b"", "d.txt": b"text " * 1000}
    stock(disk_repository, "Main", files)
    samples = tdvc.load(disk_repository)
    assert {sample.path: sample.bytes for sample in samples} == files
    assert list(samples.epoch(shuffle=False).iter_bytes()) == list(files.values())


def test_objects_of_many_packs_and_of_later_packs_are_found(disk_repository: Repository) -> None:
    for number in range(5):
        stock(disk_repository, "Main", {f"{number}": b"content %d" % number})
    samples = tdvc.load(disk_repository)
    assert [sample.bytes for sample in samples] == [b"content %d" % number for number in range(5)]


def test_a_repository_in_memory_is_loaded_but_never_sent(repository: Repository) -> None:
    stock(repository, "Main", {"a": (b"one", [box()])})
    samples = tdvc.load(repository)
    assert samples[0].bytes == b"one" and len(samples[0].targets.boxes) == 1
    with pytest.raises(Usage, match="memory"):
        pickle.dumps(samples)
    assert pickle.loads(pickle.dumps(samples[0])).bytes == b"one"


def test_empty_state(repository: Repository) -> None:
    samples = tdvc.load(repository)
    assert len(samples) == 0 and list(samples) == [] and list(samples.epoch()) == []
    assert samples.fingerprint == tdvc.load(repository).fingerprint


def test_a_pin_names_repository_and_state(pets: Repository, tmp_path: Path) -> None:
    from tdvc.ops.pins import write_pin

    place = tmp_path / "data.tdvc.toml"
    write_pin(tdvc.pin(pets, "v1", start=tmp_path), place)
    assert tdvc.load(place).fingerprint == tdvc.load(folder(pets), "v1").fingerprint
    with pytest.raises(Usage, match="pin"):
        tdvc.load(place, "v1")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"revision": "v9"}, "unknown-revision"),
        ({"verify": "none"}, "bad-usage"),
        ({"where": "label ="}, "bad-query"),
        ({"source": "nowhere.toml", "revision": None}, "source-not-found"),
    ],
)
def test_what_makes_no_sense_is_refused(pets: Repository, arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(TdvcError) as caught:
        tdvc.load(**{"source": pets, "revision": "v1", **arguments})
    assert caught.value.code == code


# targets


def test_targets_are_arrays_by_the_schema(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    found, classes = samples["all.png"].targets, samples.classes
    assert classes.by_label == {key: label.index for key, label in pets["v1"].schema.labels.items()}
    assert [classes.names[number] for number in found.classes] == ["cat", "dog", "dog", "cat", "cat"]
    assert [classes.names[number] for number in found.tags] == ["night"]
    assert found.boxes.tolist() == [[1, 2, 4, 6], [0, 0, 6, 4], [0, 0, 6, 8], [1, 2, 3, 4], [0, 0, 2, 2]]
    assert found.areas.tolist() == [12, 24, 48, 0, 4]
    assert np.isnan(found.scores[:4]).all() and found.scores[4] == 0.5
    assert found.keypoints.shape == (5, 2, 3)
    assert found.keypoints[3].tolist() == [[1, 2, 2], [3, 4, 1]] and not found.keypoints[0].any()


def test_masks_of_every_type_have_the_size_of_the_picture(pets: Repository) -> None:
    sample = tdvc.load(pets, "v1")["all.png"]
    found = sample.masks
    assert found.shape == (5, HEIGHT, WIDTH) and found.dtype == bool
    assert found.sum(axis=(1, 2)).tolist() == [12, 24, 48, 0, 4]
    assert found[0, 2:6, 1:4].all() and found[2, :, :6].all()
    assert sample.pixels.shape == (HEIGHT, WIDTH, 3) and sample.picture_size == (WIDTH, HEIGHT)


def test_targets_of_a_file_with_nothing(disk_repository: Repository) -> None:
    stock(disk_repository, "Main", {"a": picture(1)})
    sample = tdvc.load(disk_repository)[0]
    assert sample.targets.boxes.shape == (0, 4) and sample.targets.classes.dtype == np.int64
    assert sample.masks.shape == (0, HEIGHT, WIDTH) and sample.targets.keypoints.shape == (0, 0, 3)


def test_what_is_no_picture_says_so(disk_repository: Repository) -> None:
    stock(disk_repository, "Main", {"a.png": b"no picture"})
    with pytest.raises(FormatError, match=r"'a\.png' is no picture"):
        _ = tdvc.load(disk_repository)[0].pixels


# fingerprints


def test_corrected_labels_leave_the_pixels_fingerprint(pets: Repository) -> None:
    before = tdvc.load(pets, "v1")
    with pets.transaction("correct") as edit:
        edit.annotate(pets["Main"]["part1/004.png"], [make_instance(box("dog", (0, 0, 5, 5), 77))])
    freeze(pets, "v2")
    after = tdvc.load(pets, "v2")
    assert before.fingerprint.pixels == after.fingerprint.pixels
    assert before.fingerprint.labels != after.fingerprint.labels
    changed = [a.path for a, b in zip(before, after, strict=True) if a.labels_id != b.labels_id]
    assert changed == ["part1/004.png"]
    assert [a.pixels_id for a in before] == [b.pixels_id for b in after]


def test_a_guide_is_no_other_label_but_another_class_is(pets: Repository) -> None:
    before = tdvc.load(pets, "v1").fingerprint
    tdvc.set_guide(pets, "dog", "Also puppies.")
    assert tdvc.load(pets, "Main").fingerprint == before
    tdvc.add_label(pets, "horse")
    assert tdvc.load(pets, "Main").fingerprint.labels != before.labels


def test_replaced_bytes_change_the_pixels_fingerprint_alone(pets: Repository) -> None:
    before = tdvc.load(pets, "v1").fingerprint
    with pets.transaction("new") as edit:
        state = pets["Main"]["all.png"].state
        blob = edit.writer.put(tdvc.ids.Kind.BLOB, b"other bytes")
        edit.set_state(state._replace(blob=blob, size_bytes=11))
    after = tdvc.load(pets, "Main").fingerprint
    assert after.pixels != before.pixels and after.labels == before.labels


# damage


def test_full_verification_never_gives_out_damaged_bytes(pets: Repository) -> None:
    damage_blob(pets, picture(5), at=20)
    assert tdvc.load(pets, "v1")["part2/005.png"].bytes != picture(5)
    with pytest.raises(Corruption, match="damaged"):
        _ = tdvc.load(pets, "v1", verify="full")["part2/005.png"].bytes


def test_metadata_verification_reads_from_no_wrong_place(pets: Repository) -> None:
    damage_blob(pets, picture(5), at=-1)
    for memory_map in (True, False):  # from the store, which hashes
        samples = tdvc.load(pets, "v1", memory_map=memory_map)
        assert samples["part2/005.png"].bytes == picture(5)
        assert list(samples.epoch(shuffle=False).iter_bytes())[samples.position("part2/005.png")] == picture(5)


def test_a_missing_pack_is_an_error_that_names_the_blob(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    for pack in (folder(pets) / ".tdvc" / "packs").iterdir():
        if picture(5) in pack.read_bytes():
            pack.unlink()
    with pytest.raises(Corruption, match=hashlib.sha256(picture(5)).hexdigest()):
        _ = samples["part2/005.png"].bytes


# processes


def said(sample: Sample) -> tuple[str, bytes, list[float]]:
    return sample.path, sample.bytes, sample.targets.boxes.ravel().tolist()


def read_in_process(samples: Samples, first: int, step: int, pipe: Any) -> None:
    pipe.send([samples[position] for position in range(first, len(samples), step)])
    pipe.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_the_same(pets: Repository, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    samples = tdvc.load(pets, "v1", where="path like 'part%'", transform=said)
    expected = list(samples)  # so that a forked process takes over open maps
    context = multiprocessing.get_context(method)
    found: list[Any] = [None] * len(samples)
    for first in range(2):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=read_in_process, args=(samples, first, 2, theirs))
        process.start()
        theirs.close()
        found[first::2] = ours.recv()
        process.join()
    assert found == expected


def test_what_is_sent_is_small_and_stays_what_it_was(pets: Repository) -> None:
    samples = tdvc.load(pets, "Main", where="path like 'part%'")
    sent = pickle.dumps(samples)
    stock(pets, "Main", {"part0/new.png": picture(77)})
    received = pickle.loads(sent)
    assert received.paths == samples.paths and received.fingerprint == samples.fingerprint
    assert len(sent) < 2000 and picture(3)[10:30] not in sent


def test_a_sample_travels_with_its_content(pets: Repository) -> None:
    sample = tdvc.load(pets, "v1")["all.png"]
    received = pickle.loads(pickle.dumps(sample))
    for pack in (folder(pets) / ".tdvc" / "packs").iterdir():
        pack.unlink()
    assert said(received) == ("all.png", picture(0), sample.targets.boxes.ravel().tolist())
    assert (received.file_id, received.pixels_id, received.labels_id) == (
        sample.file_id,
        sample.pixels_id,
        sample.labels_id,
    )


def test_readers_of_two_snapshots_see_their_own_while_a_writer_commits(pets: Repository) -> None:
    first = tdvc.load(folder(pets), "v1")
    expected = [said(sample) for sample in first]
    writer = tdvc.open(folder(pets), author="Bob")
    stock(writer, "Main", {"part0/new.png": (picture(300), [box()])})
    freeze(writer, "v2")
    second = tdvc.load(folder(pets), "v2")
    going_on = [iter(first), iter(second)]
    seen: list[list[Any]] = [[], []]
    for number in range(30):
        for reader, found in zip(going_on, seen, strict=True):
            found.append(said(next(reader)))
        if number % 10 == 0:
            with writer.transaction("meanwhile") as edit:
                edit.annotate(writer["Main"]["all.png"], [make_instance(box("cat", (0, 0, 1, number + 1), 9))])
                edit.take_out("Main", f"part0/{number + 3:03}.png")
    seen[1] += [said(sample) for sample in going_on[1]]
    assert seen[0] == expected
    assert sorted([*expected, ("part0/new.png", picture(300), [0, 0, 10, 10])]) == sorted(seen[1])
