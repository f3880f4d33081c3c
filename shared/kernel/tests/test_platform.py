"""What a service is put together from."""

import pytest
from indigo_kernel.platform import Platform
from indigo_kernel.settings import ServiceSettings, example_settings

IAM = "https://iam.example.org/"


async def test_a_limit_for_an_issuer_that_is_not_trusted_is_a_mistake() -> None:
    settings = example_settings(ServiceSettings)
    wrong = settings.model_copy(update={"issuer_scopes": {IAM: ["dmp:write"]}})
    with pytest.raises(ValueError, match=IAM):
        Platform.create("demo", wrong)
    right = wrong.model_copy(update={"trusted_issuers": [IAM]})
    platform = Platform.create("demo", right)
    await platform.engine.dispose()
