import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A worker of brain-edge for a host in Java: docs/stdio.md. Java 11 or newer, no library.
 *
 * <p>One request at a time: a host with a window gives the worker a thread of its own.
 */
final class BrainWorker implements AutoCloseable {
    private final Process process;
    private final OutputStream requests;
    private final BufferedReader answers;
    private long lastId;

    /** The first line: what the worker is, its limits, labels and model. */
    final Map<String, Object> ready;

    /** Starts {@code program}: brain-infer, with its full path. */
    BrainWorker(String program) throws IOException {
        process = new ProcessBuilder(program, "--serve-stdio").redirectError(ProcessBuilder.Redirect.DISCARD).start();
        requests = process.getOutputStream();
        answers = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
        try {
            ready = heard();
            if (!"ready".equals(ready.get("event"))) throw new IOException(message(ready));
            if (!((List<?>) ready.get("versions")).contains(1.0)) {
                throw new IOException("the worker speaks no version that is spoken here");
            }
        } catch (IOException error) {
            process.destroyForcibly();
            throw error;
        }
    }

    /**
     * Calls {@code result} with each line that brain-infer --json prints; a refused image is one, too.
     *
     * @throws IOException the request was not carried out, or the worker died: start another, and do not ask it the
     *     same again.
     */
    void classify(byte[] content, String name, Consumer<Map<String, Object>> result) throws IOException {
        double id = ++lastId;
        String line = "{\"id\": " + lastId + ", \"method\": \"classify\", \"name\": " + quoted(name)
                + ", \"length\": " + content.length + "}\n";
        requests.write(line.getBytes(StandardCharsets.US_ASCII));
        requests.write(content);
        requests.flush();
        for (;;) {
            Map<String, Object> event = heard();
            if ("error".equals(event.get("event"))) throw new IOException(message(event));
            if (!Double.valueOf(id).equals(event.get("id"))) continue;
            if ("result".equals(event.get("event"))) result.accept(object(event.get("line")));
            if ("done".equals(event.get("event"))) return;
        }
    }

    /** Ends the worker; returns its exit status. */
    int end() throws IOException, InterruptedException {
        requests.close();
        while (answers.readLine() != null) continue;
        return process.waitFor();
    }

    @Override
    public void close() {
        process.destroy();
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        return (Map<String, Object>) value;
    }

    private Map<String, Object> heard() throws IOException {
        String line = answers.readLine();
        if (line == null) throw new IOException("the worker is gone");
        return object(Json.read(line));
    }

    private static String message(Map<String, Object> event) {
        return String.valueOf(object(event.get("error")).get("message"));
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char one : text.toCharArray()) {
            boolean isPlain = one >= ' ' && one <= '~' && one != '"' && one != '\\';
            quoted.append(isPlain ? String.valueOf(one) : String.format("\\u%04x", (int) one));
        }
        return quoted.append('"').toString();
    }
}
