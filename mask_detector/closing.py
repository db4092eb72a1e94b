"""What has to be closed, for use in a `with` statement."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closing:
    """Closes itself on the way out of its context, whichever way that is."""

    def close(self) -> None:
        """Let go of what is held; a second time does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
