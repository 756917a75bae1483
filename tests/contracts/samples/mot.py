from tests.contracts.samples import put


def make(root):
    rows = [
        "1,1,10,5.5,20,30.25,1,1,1",
        "1,2,-3,5,20,30,0,2,0.5",
        "2,1,11,5,20,30,1,1,-1",
        "0,1,1,1,1,1,1,1,1",
        "2,3,1,1,-4,1,1,1,1",
        "2,x,1,1,4,1,1,1,1",
        "3,4,1,1,4,1,1,9,1",
        "7,1,12,5,20,30,1,1,1",
    ]
    for frame in (1, 2, 3):
        put(root / f"train/street/img1/{frame:06d}.jpg")
    put(root / "train/street/gt/gt.txt", "\n".join(rows))
    put(root / "train/street/gt/labels.txt", "person\ncar\n")
    put(root / "train/street/seqinfo.ini", "[Sequence]\nname=street\nimDir=../../../outside\nimExt=.jpg\n")
    put(root / "train/street/det/det.txt", "1,-1,10,5,20,30,58.1\n")
    return root / "train/street/img1"
