"""The form in which text is stored and sent: a code of the catalogue and its values, no language yet."""

from pydantic import BaseModel, ConfigDict

Params = dict[str, str | int | float | bool | None]


class Schema(BaseModel):
    """Base of every HTTP body: frozen, nothing unknown, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Text(Schema):
    """A sentence of the catalogue: `<section>.<code>` with `{name}` places filled from `params`."""

    code: str
    params: Params


class Told(Text):
    """A sentence of the catalogue, and `text`: the sentence itself in the language that was asked for, times in UTC."""

    text: str
