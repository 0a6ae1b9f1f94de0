"""The RAGPipeline API: its models, its rules, and the resource definition made from them."""
