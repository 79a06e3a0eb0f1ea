"""StyleCrypt: natural-looking fake faces in place of real ones, and back.

``models.load_model`` gives a model, ``pictures.read_picture`` pixels; ``cipher.cover`` replaces the faces in a photo and
``cipher.uncover`` recovers one with another photo of the sender. Whoever wants the steps themselves finds them in
``faces`` (find, align, paste back) and ``stylemix`` (layer masks and mixing).
"""
