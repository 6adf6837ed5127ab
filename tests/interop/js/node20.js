// SPDX-License-Identifier: Apache-2.0 OR MIT

// js-libp2p is written for Node 22; this is all that Node 20 lacks of it.
Promise.withResolvers ??= function () {
  const deferred = {}
  deferred.promise = new Promise((resolve, reject) => Object.assign(deferred, { resolve, reject }))
  return deferred
}
