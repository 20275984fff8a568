/** What the test reads: a line of JSON for each thing that happened. */
final class Out {

    private Out() {
    }

    /** Prints an event with the names and values that follow it in turn. */
    static synchronized void say(String event, Object... more) {
        StringBuilder line = new StringBuilder("{\"event\": " + quote(event));
        for (int i = 0; i < more.length; i += 2) {
            Object value = more[i + 1];
            line.append(", ").append(quote((String) more[i])).append(": ");
            line.append(value instanceof Number && !"value".equals(more[i]) ? value : quote(String.valueOf(value)));
        }
        System.out.println(line.append("}"));
    }

    private static String quote(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append("\"").toString();
    }
}
