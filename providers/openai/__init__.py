"""
Azure OpenAI, and the other accounts of Cognitive Services. A secret holds an account key itself.
"""

from providers.kind import Kind, Name

OPENAI_ACCOUNT = Kind(
    provider="Microsoft.CognitiveServices/accounts",
    title="an Azure OpenAI account, or another one of Cognitive Services",
    form="/providers/Microsoft.CognitiveServices/accounts/{account}",
    names={"account": Name("[a-z0-9][-a-z0-9_.]{0,62}[-a-z0-9_]")},
    package=__name__,
    example={"account": "myopenai"},
)
