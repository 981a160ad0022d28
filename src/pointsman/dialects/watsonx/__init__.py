"""What IBM watsonx.ai has otherwise than OpenAI's chat: https://cloud.ibm.com/apidocs/watsonx-ai#text-chat.

Answers have OpenAI's shape, whole and streamed (there is no ``[DONE]``); the readers of OpenAI's chat know that. So
there is only what requests, errors and embeddings need.
"""
