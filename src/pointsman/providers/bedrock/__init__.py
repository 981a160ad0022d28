"""Amazon Bedrock: where a model is, with which keys it is asked, and the lane there.

Start with :mod:`.lane`; :mod:`.finder` tells where keys are looked for, and in which order.
"""

from __future__ import annotations

from pointsman.providers.bedrock.counting import bedrock_count
from pointsman.providers.bedrock.finder import KeyFinder
from pointsman.providers.bedrock.keys import AwsKeyring
from pointsman.providers.bedrock.lane import BedrockServices, bedrock_lane, bedrock_signer
from pointsman.providers.bedrock.place import names_place, runtime_base
from pointsman.providers.bedrock.profiles import profile_region
from pointsman.providers.bedrock.surroundings import AwsSurroundings

__all__ = [
    "AwsKeyring",
    "AwsSurroundings",
    "BedrockServices",
    "KeyFinder",
    "bedrock_count",
    "bedrock_lane",
    "bedrock_signer",
    "names_place",
    "profile_region",
    "runtime_base",
]
