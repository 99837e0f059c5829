"""The stores on one DynamoDB table. One module per port; ``table.py`` holds what they share."""
