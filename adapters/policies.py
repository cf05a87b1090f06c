"""
The policies of the SDKs' pipelines: what a request passes through on its way to a service.
"""

from typing import Any

from azure.core.pipeline.policies import ContentDecodePolicy, RequestIdPolicy, UserAgentPolicy


def service_policies(*own: Any) -> list[Any]:
    """
    Return the policies for a service, its own ones last.

    The SDKs' lists are longer. Retries are ours to decide on; redirects and proxies there are none; their logging
    looks for settings with every request and has nothing to add to ours, and answers hold keys.
    """
    return [RequestIdPolicy(), UserAgentPolicy("azure-key-rotator"), ContentDecodePolicy(), *own]
