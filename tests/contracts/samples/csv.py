from tests.contracts.samples import put

TABLE = """filename,cell_type,xmin,xmax,ymin,ymax,Stain
a.jpg,WBC,1,3,2.50,4,giemsa
pictures/b.jpg,RBC,5,6,7,8,
a.jpg,RBC,5,6,7,8,
nowhere.jpg,RBC,5,6,7,8,
../outside/secret.jpg,RBC,5,6,7,8,
pictures/link.jpg,RBC,5,6,7,8,
a.jpg,RBC,five,6,7,8,
a.jpg,RBC
"""


def make(root):
    for name in ("a.jpg", "pictures/b.jpg", "unnamed.png"):
        put(root / name)
    put(root / "cells.csv", TABLE)
    return root / "pictures"
