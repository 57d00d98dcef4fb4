/** Waiting for the outside world in tests that use the real thing: asks again and again, and fails with what it waited for. */
export async function waitFor(what: string, done: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const end = Date.now() + withinMs
  for (;;) {
    if (await done()) return
    if (Date.now() > end) throw new Error(`waited ${withinMs / 1000} s in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
