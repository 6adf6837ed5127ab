// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"errors"
)

func cmdIdle(ctx context.Context, args []string) error {
	return errors.New("not yet")
}
