"""The loader: a training script names a state and gets exactly that, straight from the packs.

rows         what the table of a state says, in columns of bytes
places       where in the packs the objects are
reading      reads them in one process
order        which file comes when: shuffled by seed and epoch, shared out among ranks
targets      the instances of a file as plain arrays
state        a state that any process can read
samples      the files of a state, and one of them
epoch        going once through them, and on from where somebody stopped
opening      `tdvc.load`

adapters, each for a library that is imported when somebody uses it:

batches      numpy batches, and what TensorFlow makes a data set of
pytorch      PyTorch data sets
huggingface  a `datasets.Dataset`
filesystem   `tdvc://repository@revision/path` for fsspec
library      the message where a library is missing

A state is fixed when it is opened: by its root, not by its name. So whatever others commit meanwhile, every process
that reads it reads the same.
"""
