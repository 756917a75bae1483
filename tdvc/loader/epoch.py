"""Once through the samples, in an order that only the files, the seed and the epoch decide (`loader.order`).

An epoch knows how far it is, and can be taken up from there: by another process, on another machine, by another number
of ranks. What it says of itself to that end names the content of the samples, so it is never continued over others.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import Usage
from tdvc.loader.order import share, shuffled

if TYPE_CHECKING:
    from tdvc.loader.samples import Sample, Samples

_VERSION = 1


class Epoch:
    """An iterable over samples, or over what their `transform` makes of them.

    Iterating goes on where `done` stands; when it has come to the end, the next time begins anew.

    Attributes:
        samples: all of them.
        number: of the epoch.
        done: how many samples of this rank were given out.
    """

    def __init__(
        self, samples: Samples, number: int, *, seed: int, shuffle: bool, rank: int, world_size: int, even: bool
    ) -> None:
        self.samples = samples
        self.number = whole("number of the epoch", number, least=0)
        self.done = 0
        self._seed = whole("seed", seed)
        self._shuffle = bool(shuffle)
        self._rank = whole("rank", rank)
        self._world_size = whole("number of ranks", world_size)
        self._even = even
        if not 0 <= self._rank < self._world_size:
            raise Usage("bad-usage", f"There is no rank {rank} among {world_size}; they begin at 0.")
        self._begin(0)

    def __repr__(self) -> str:
        share = f", rank {self._rank} of {self._world_size}" if self._world_size > 1 else ""
        return f"<Epoch {self.number} of {self.samples!r}, seed {self._seed}{share}: {self.done} of {len(self)} done>"

    def set_epoch(self, number: int) -> None:
        """Begin another epoch, with the same seed and share. Raises Usage (bad-usage)."""
        self.number = whole("number of the epoch", number, least=0)
        self._begin(0)

    def _begin(self, had: int) -> None:
        """Start behind what all ranks together have had."""
        self._had = had
        self.done = 0
        self.positions = share(self.order[had:], self._rank, self._world_size, even=self._even)

    @property
    def order(self) -> NDArray[np.int64]:
        """(n,) the positions of all samples, for all ranks, from the beginning of the epoch."""
        if not self._shuffle:
            return np.arange(len(self.samples))
        return shuffled(self.samples.state.rows.file_ids[self.samples.positions], self._seed, self.number)

    @property
    def content_hash(self) -> str:
        """SHA-256 of the whole epoch for all ranks: bytes, instances and classes in their order; in hexadecimal.

        It is computed from ids: nothing is read.
        """
        rows = self.samples.state.rows
        kept = self.samples.positions[self.order]
        said = np.concatenate((rows.blobs[kept], rows.sets[kept]), axis=1).tobytes()
        return hashlib.sha256(b"tdvc epoch\0" + bytes.fromhex(self.samples.classes.id) + said).hexdigest()

    def __len__(self) -> int:
        """How many samples this rank gets, those included that it has had."""
        return len(self.positions)

    def __iter__(self) -> Iterator[Any]:
        samples = self.samples
        return (samples[position] for position in self._going_on())

    def iter_samples(self) -> Iterator[Sample]:
        """As iterating, whatever `transform` says."""
        samples = self.samples
        return (samples.sample(position) for position in self._going_on())

    def iter_bytes(self) -> Iterator[bytes]:
        """As iterating, but the bytes of the files alone."""
        left = self._begin_left()
        for content in self.samples.state.iter_blobs(self.samples.positions[left]):
            self.done += 1
            yield content

    def _going_on(self) -> Iterator[int]:
        """The positions that are left; each counts as done when it is given out."""
        for position in self._begin_left().tolist():
            self.done += 1
            yield position

    def _begin_left(self) -> NDArray[np.int64]:
        left = self.left
        self.done = len(self) - len(left)
        return left

    @property
    def left(self) -> NDArray[np.int64]:
        """The positions that iterating gives: behind those that are done, all where every one is."""
        return self.positions[self.done :] if self.done < len(self) else self.positions

    def state_dict(self, done: int | None = None) -> dict[str, Any]:
        """How far it is, as plain values.

        Args:
            done: how many samples of this rank count; those given out for None. Where something between reads ahead,
                as PyTorch's loader does, only the caller knows.

        Raises:
            Usage: bad-usage, where that is no number of samples.
        """
        step = self.done if done is None else whole("number of samples", done, least=0)
        return {
            "version": _VERSION,
            "pixels": self.samples.fingerprint.pixels,
            "labels": self.samples.fingerprint.labels,
            "epoch": self.number,
            "seed": self._seed,
            "shuffle": self._shuffle,
            "had": min(self._had + step * self._world_size, len(self.samples)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there. Every rank gives the state that any one of them had after the same number of steps.

        Raises:
            Usage: bad-usage, where it is of other samples or makes no sense.
        """
        _check_state(state)
        for part in self.samples.fingerprint._fields:
            if state.get(part) != getattr(self.samples.fingerprint, part):
                hint = "Load the same snapshot, with the same query."
                raise Usage("bad-usage", f"The state is of an epoch over other {part}.", hint=hint)
        if state["had"] > len(self.samples):
            said = f"{state['had']:,} samples were given out, but there are {len(self.samples):,}"
            raise Usage("bad-usage", f"This is not the state of an epoch: {said}.")
        self.number, self._seed, self._shuffle = state["epoch"], state["seed"], state["shuffle"]
        self._begin(state["had"])


def whole(what: str, value: Any, *, least: int | None = None) -> int:
    """A whole number that was given as `what`, whatever its type. Raises Usage (bad-usage)."""
    try:
        number = int(operator.index(value))
    except TypeError:
        raise Usage("bad-usage", f"The {what} is a whole number, not {value!r:.40}.") from None
    if least is not None and number < least:
        raise Usage("bad-usage", f"The {what} is at least {least}, not {number}.")
    return number


def _check_state(state: Any) -> None:
    """Raises Usage where it is not what `state_dict` makes."""
    kinds = {"epoch": int, "seed": int, "shuffle": bool, "had": int}
    if (
        not isinstance(state, Mapping)
        or state.get("version") != _VERSION
        or any(type(state.get(name)) is not kind for name, kind in kinds.items())
        or min(state["epoch"], state["had"]) < 0
    ):
        raise Usage("bad-usage", "This is not the state of an epoch.", hint="Give what state_dict() returned.")
