"""Import objects by name, and the modules in which packages define their tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Discovery:
    """A call of autodiscover_tasks() that is postponed until tasks are needed."""

    packages: Callable[[], Iterable[str]] | None
    """Returns the names of packages; None for Django's installed apps."""
    related: str | None
    """The module to import from each package; None for the package itself."""

    def run(self) -> None:
        """Import the modules now."""
        discover((self.packages or _installed_apps)(), self.related)


def checked_related(name: object) -> str | None:
    """Return ``related_name`` if it is the name of a module, or None."""
    if name is not None and (type(name) is not str or not all(part.isidentifier() for part in name.split("."))):
        raise InvalidValue.of("related_name", "the name of a module, or None", name)
    return name


def discover(packages: Iterable[str], related: str | None) -> None:
    """Import the module ``related`` of each package that has one; the packages themselves if it is None.

    Raises:
        InvalidValue: one of the packages does not exist. No tasks were imported.
    """
    found = [packages] if isinstance(packages, str) else list(packages)
    if isinstance(packages, str) or not all(type(name) is str and name for name in found):
        raise InvalidValue.of("packages", "a list of names of packages", packages)
    for name in [_package_of(name) for name in found]:
        if related is None:
            import_module(name)
        elif has_module(f"{name}.{related}"):
            import_module(f"{name}.{related}")


def _package_of(name: str) -> str:
    """The package that is meant: itself, or that of an AppConfig, as INSTALLED_APPS may have it."""
    if all(part.isidentifier() for part in name.split(".")):
        if has_module(name):
            return name
        module, _, attribute = name.rpartition(".")
        config = getattr(import_module(module), attribute, None) if module and has_module(module) else None
        package = getattr(config, "name", None)
        if isinstance(config, type) and type(package) is str and has_module(package):
            return package
    raise InvalidValue.of("packages", "names of packages that can be imported, or of AppConfigs", name)


def _installed_apps() -> list[str]:
    """Return the packages of Django's installed apps. Sets up Django if necessary."""
    try:
        apps: Any = import_module("django.apps").apps
    except ModuleNotFoundError:
        raise InvalidValue("packages must be given, because Django is not installed") from None
    if not apps.ready:
        import_module("django").setup()
    return [config.name for config in apps.get_app_configs()]


def imported(name: str) -> Any:
    """Return the module or object of a name: "module", "module:attribute" or "module.attribute".

    Raises:
        InvalidValue: it does not exist. Exceptions from the import itself are passed on.
    """
    module, colon, attribute = name.partition(":")
    if not all(part.isidentifier() for part in f"{module}.{attribute or 'x'}".split(".")):
        raise InvalidValue.of("obj", "an object, or module or module:attribute", name)
    if not colon and not has_module(module):
        module, _, attribute = module.rpartition(".")
    if not module or not has_module(module):
        raise InvalidValue.of("obj", "an object, or the name of a module that can be imported", name)
    found: Any = import_module(module)
    for part in filter(None, attribute.split(".")):
        if not hasattr(found, part):
            raise InvalidValue.of("obj", f"the name of an object; {found.__name__} has no {part!r}", name)
        found = getattr(found, part)
    return found


def has_module(name: str) -> bool:
    """Whether a module exists. Its parent packages are imported, but not the module."""
    parent, _, _ = name.rpartition(".")
    if parent and not has_module(parent):
        return False
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError as error:
        if error.name == name or (parent and error.name == parent):
            return False  # the parent is a module, not a package
        raise
    except ValueError:  # a module that was created by hand has no spec
        return True
