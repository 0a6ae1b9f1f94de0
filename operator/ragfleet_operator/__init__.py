"""The operator: RAGPipeline objects become running services, and stay so."""
