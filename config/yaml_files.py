"""YAML as the house reads it: plain data, and no key twice. YAML's own rule forbids it; the library lets the last one win."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from yaml.constructor import ConstructorError

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _EachKeyOnce(_Loader):  # type: ignore[misc]  # libyaml's where it was built with it
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - theirs
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
            seen.add((key.tag, str(key.value)))
        read: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return read


def read_yaml(path: Path) -> Any:
    """Read one document, UTF-8. Raises OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_EachKeyOnce)  # noqa: S506 - a safe loader
