"""Training: the embedded model's encoder, StyleGAN2 generators and pSp encoders. Needs the extra ``train``."""
