"""The file of a gateway's sub-devices on littlefs: an append-only list of records.

    size u8 | kind u8 | body of `size` bytes | CRC-32 u32 LE of all before

    S, T   the secret of one that is not, or is, attached: ProductKey and DeviceName, each after its length
           (u8), then the DeviceSecret; a later one of the same name goes before it
    A, D, X   attached, detached, dropped: where the records of these sub-devices begin, u32 LE each

What is written is read back before it counts. A record that is torn or spoiled is stepped over: neither one
before it nor one after it is lost. A file that has one, or is half of dead records, is written anew under
another name and takes the old one's place by a rename.

`rows` is an aliot.gateway.rows.Rows; StoreError when littlefs does not take or give what it should.
"""
