"""
Azure OpenAI, and the other accounts of Cognitive Services. An account key stands in a secret's value.

It rests on assumption 120 of docs/fidelity.md.
"""

from providers.account_key import AccountKey
from providers.kind import Kind, Name

OPENAI_ACCOUNT = Kind(
    provider="Microsoft.CognitiveServices/accounts",
    title="an Azure OpenAI account, or another one of Cognitive Services",
    form="/providers/Microsoft.CognitiveServices/accounts/{account}",
    names={"account": Name("[a-z0-9][-a-z0-9_.]{0,62}[-a-z0-9_]")},
    package=__name__,
    example={"account": "myopenai"},
    data_plane={
        "AzurePublicCloud": (
            *("openai.azure.com", "cognitiveservices.azure.com"),
            *("services.ai.azure.com", "api.cognitive.microsoft.com"),
        ),
        "AzureUSGovernment": ("openai.azure.us", "cognitiveservices.azure.us", "api.cognitive.microsoft.us"),
        "AzureChinaCloud": ("cognitiveservices.azure.cn", "api.cognitive.azure.cn"),
    },
    credential=AccountKey("[0-9A-Fa-f]{32}|[A-Za-z0-9]{84}", "[A-Za-z0-9]", 84),
)
