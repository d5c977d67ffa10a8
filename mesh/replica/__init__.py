"""One running instance of a service and the calls it takes.

host       the life of an instance: load, start, drain, stop
handler    one call: admission, decode, the user's method, encode
admission  how many calls at once
invoke     sync and async methods and generators, all as one
scope      what a running call passes on to the calls it makes
handle     what `depends()` becomes
"""
