"""What Mistral's API has otherwise than OpenAI's chat: https://docs.mistral.ai/api/endpoint/chat and …/fim.

Answers have OpenAI's shape, save that content may be a list; the reader of OpenAI's chat knows that. So there is only
what requests need.
"""
