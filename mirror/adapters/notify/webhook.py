"""One HTTP request with the notices as JSON. The body is signed when there is a secret."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import httpx

from mirror.adapters.failures import failure_of
from mirror.adapters.notify.settings import WebhookSettings
from mirror.errors import NotificationFailed
from mirror.vocabulary.said import say

ANSWER_S = 10.0
SIGNATURE_HEADER = "x-mirror-signature"


async def call_webhook(settings: WebhookSettings, body: Mapping[str, Any]) -> None:
    """POST it; any answer below 300 is well. Raises: NotificationFailed (MIR-820)."""
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = {"content-type": "application/json"}
    if settings.secret:
        signature = hmac.new(settings.secret.encode(), content, hashlib.sha256).hexdigest()
        headers[SIGNATURE_HEADER] = f"sha256={signature}"
    # Of the address only the host is shown: a path may be a secret too.
    where = httpx.URL(settings.url).host
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            answer = await client.post(settings.url, content=content, headers=headers)
    except httpx.HTTPError as error:
        observed = failure_of(error)
        raise NotificationFailed(channel="webhook", where=where, observed=observed) from error
    if answer.status_code >= 300:
        observed = say("http.answers", status=answer.status_code)
        raise NotificationFailed(channel="webhook", where=where, observed=observed)
