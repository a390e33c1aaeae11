//! Agents who are not alike: the N design and four languages. There is no published table; what is proved is that
//! contracts hold by tier *and* by what the callers want, and what it costs compared with the other policies, by the
//! very same callers.
