"""Asks the judge that an admin configured: one question, one choice, or a sentence on why there is none.

What the endpoint writes in an error is not repeated: it may hold the key.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from engine import judge
from engine.errors import StackError
from engine.judge import Choice, Endpoint
from engine.settings import Settings

TIMEOUT_SECONDS = 60.0
RETRIES = 3
LOOK_SECONDS = 5.0
SHOWN = 60
HINTS = {
    401: "; check SHORTLIST_JUDGE_KEY",
    403: "; check SHORTLIST_JUDGE_KEY",
    404: "; check SHORTLIST_JUDGE_URL and SHORTLIST_JUDGE_MODEL",
    429: "; it takes fewer requests, so try again later",
}


class NoChoiceError(StackError):
    """The judge was asked and did not choose; says why in one sentence."""


class _Message(BaseModel):
    content: str


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    """What is read of an answer; endpoints differ in the rest."""

    choices: list[_Choice] = Field(min_length=1)


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class Client:
    """A connection to the judge, for several threads; nobody is asked after it is closed."""

    def __init__(self, endpoint: Endpoint, settings: Settings) -> None:
        """No redirect is followed: the rows go to the host that a person agreed to, or nowhere."""
        import openai

        self._model = endpoint.model
        self._temperature: float | openai.Omit = 0.0
        self._closed = threading.Event()
        self._client = openai.OpenAI(
            base_url=endpoint.url,
            api_key="none" if settings.judge_key is None else settings.judge_key.get_secret_value().strip(),
            timeout=TIMEOUT_SECONDS,
            max_retries=RETRIES,
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._client.close()

    def choose(self, messages: list[dict[str, str]]) -> Choice:
        """What the judge says; raises NoChoiceError after RETRIES more tries."""
        reply = self._reply(messages)
        choice = judge.read_choice(reply)
        if choice is None:
            start = " ".join(reply.split())[:SHOWN]
            raise NoChoiceError(f"The judge said neither A, B nor tie, but {start!r}.")
        return choice

    def models(self) -> tuple[str, ...] | None:
        """What the endpoint offers; None: it answers without a list. NoChoiceError: it does not answer."""
        import openai

        try:
            quick = self._client.with_options(timeout=LOOK_SECONDS, max_retries=0)
            listed = _Models.model_validate_json(quick.models.with_raw_response.list().text)
            return tuple(model.id for model in listed.data)
        except (ValidationError, openai.NotFoundError):
            return None
        except openai.APIError as error:
            raise NoChoiceError(cause(error)) from None

    def _reply(self, messages: list[dict[str, str]]) -> str:
        import openai

        try:
            text = self._complete(messages)
            return _Completion.model_validate_json(text).choices[0].message.content
        except ValidationError:
            raise NoChoiceError("The judge's answer is no chat completion with a text.") from None
        except openai.APIError as error:
            raise NoChoiceError(cause(error)) from None

    def _complete(self, messages: Any) -> str:
        """The body of the answer. Some models refuse a temperature: from then on they are sent none."""
        import openai

        if self._closed.is_set():
            raise NoChoiceError("The judging was stopped.")
        create = self._client.chat.completions.with_raw_response.create
        try:
            return create(model=self._model, messages=messages, temperature=self._temperature).text
        except openai.BadRequestError as error:
            if error.param != "temperature":
                raise
            self._temperature = openai.omit
            return create(model=self._model, messages=messages, temperature=self._temperature).text


def cause(error: Exception) -> str:
    """An error of the openai library in one sentence of our own."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return "The judge did not answer in time."
    if isinstance(error, openai.APIStatusError):
        return f"The judge answered with status {error.status_code}{HINTS.get(error.status_code, '')}."
    return "The judge cannot be reached."
