"""What advice is there?"""

from __future__ import annotations

import click

from healing_eval.cli.advise.models import models


@click.group()
def advise() -> None:
    """Say what another choice would cost or save, before anything is changed."""


advise.add_command(models)
