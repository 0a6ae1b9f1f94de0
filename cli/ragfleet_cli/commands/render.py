"""``ragfleet render``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ragfleet_cli.errors import CliError
from ragfleet_cli.options import ManifestFile, Overrides, examples

EXAMPLES: Final = examples(
    "ragfleet render -f pipeline.yaml",
    "ragfleet render -f pipeline.yaml --namespace team-a --image registry.example/ragfleet:1.2.3",
    "ragfleet render -f pipeline.yaml --set requests.deadlineSeconds=30 -o json",
)
GENERATED: Final = "(generated)"


class Form(StrEnum):
    """How objects are printed."""

    YAML = "yaml"
    JSON = "json"


def render(
    file: ManifestFile,
    overrides: Overrides = None,
    namespace: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Namespace of the pipeline. Default: the manifest's, or default."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE",
            help="The service's image where the manifest names none. Default: ragfleet, of this version.",
        ),
    ] = None,
    form: Annotated[Form, typer.Option("--output", "-o", help="How the objects are printed.")] = Form.YAML,
) -> None:
    """Print the objects that the operator makes for a manifest, for review. No cluster is asked.

    No Secret's value is printed: those that the operator generates are shown as (generated).
    """
    typer.echo(_text(_children(file, overrides or (), namespace, image), form), nl=False)


def _children(
    file: Path, overrides: Sequence[str], namespace: str | None, image: str | None
) -> list[dict[str, Any]]:
    from ragfleet_api.manifest import DEFAULT_NAMESPACE  # noqa: PLC0415 - see ragfleet_cli.main
    from ragfleet_api.problems import ManifestError  # noqa: PLC0415
    from ragfleet_cli.pipeline import load_pipeline  # noqa: PLC0415
    from ragfleet_operator.kinds import OPTIONAL  # noqa: PLC0415
    from ragfleet_operator.model import Key, Observation, Pipeline, Settings  # noqa: PLC0415
    from ragfleet_operator.render import render as render_children  # noqa: PLC0415

    _check(namespace, image)
    try:
        manifest = load_pipeline(file, overrides)
    except ManifestError as error:
        raise CliError(str(error)) from error
    place = Key(namespace or manifest.metadata.namespace or DEFAULT_NAMESPACE, manifest.metadata.name)
    # Without a UID, nothing is said of the owner.
    pipeline = Pipeline(place, uid="", generation=1, spec=manifest.spec)
    settings = Settings(image=image or _own_image())
    children = render_children(pipeline, settings, Observation(kinds=OPTIONAL), new_secret=lambda: GENERATED)
    return [dict(child.manifest) for child in children]


def _check(namespace: str | None, image: str | None) -> None:
    """Raise CliError for an option that no object could hold."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    from ragfleet_api.resource import NamespaceName  # noqa: PLC0415
    from ragfleet_api.spec.kubernetes import ImageName  # noqa: PLC0415

    for option, value, type_, allowed in (
        ("--namespace", namespace, NamespaceName, "a namespace's name, as in team-a"),
        ("--image", image, ImageName, "an image's name, as in registry.example/ragfleet:1.2.3"),
    ):
        if value is None:
            continue
        try:
            TypeAdapter(type_).validate_python(value)
        except ValidationError:
            raise CliError(f"{option} {value}: must be {allowed}") from None


def _own_image() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - needed only here

    return f"ragfleet:{version('ragfleet')}"


def _text(children: list[dict[str, Any]], form: Form) -> str:
    if form is Form.JSON:
        import json  # noqa: PLC0415 - needed only here

        # As kubectl prints several objects.
        objects = {"apiVersion": "v1", "kind": "List", "items": children}
        return json.dumps(objects, indent=2, ensure_ascii=False) + "\n"
    import yaml  # noqa: PLC0415 - see ragfleet_cli.main

    return yaml.safe_dump_all(children, sort_keys=False, allow_unicode=True, width=100)
