"""What those who run mlspend need of it: setting up, looking after, and putting right."""
