"""What a registration needs of a start, when its answer is there: no more of one has room beside it.

direct.md 2 and 3.
"""

from aliot.identities import device_certificate as device_certificate
from aliot.identities import issued as issued
from aliot.objects import parse as parse
