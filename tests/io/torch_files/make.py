"""How the files beside this one were made, with PyTorch 2.13.0 (CPU): python make.py"""

import numpy as np
import torch

torch.manual_seed(0)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.RNN(2, 8)
        self.fc = torch.nn.Linear(8, 3)


net = Net()
u = torch.randn(12, 4, 2)
with torch.no_grad():
    h, _ = net.rnn(u)
    z = net.fc(h)
torch.save(net.state_dict(), "rnn.pt")
torch.save(net.state_dict(), "rnn_legacy.pt", _use_new_zipfile_serialization=False)
torch.save(net, "module.pt")
base = torch.arange(12.0).reshape(3, 4)
torch.save(
    {
        "turned": base.T,
        "part": base[1:, ::2],
        "half": base.half(),
        "brain": base.bfloat16(),
        "whole": torch.arange(5),
        "yes": torch.tensor([True, False]),
        "one": torch.tensor(2.5, dtype=torch.float64),
        "parameter": torch.nn.Parameter(base),
        "complex": torch.tensor([1 + 2j]),
        "empty": torch.zeros(0, 3),
        "byte": torch.tensor([-1], dtype=torch.int8),
        "training": {
            "epoch": 3,
            "rate": 0.5,
            "note": "x",
            "nothing": None,
            "shape": base.shape,
            "losses": [0.5, torch.tensor(0.25)],
            "device": torch.device("cpu"),
        },
    },
    "kinds.pt",
)
np.savez_compressed("answers.npz", inputs=u.numpy(), hidden=h.numpy(), output=z.numpy())
