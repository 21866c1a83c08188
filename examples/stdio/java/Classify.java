import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * javac -d OUT *.java and java -cp OUT Classify BRAIN_INFER IMAGE...
 *
 * <p>A line for each image. Exit status: 0 all answered, 2 usage, 100 some refused.
 */
final class Classify {
    private static int refused;

    public static void main(String[] words) throws Exception {
        if (words.length < 2) {
            System.err.println("usage: java Classify BRAIN_INFER IMAGE...");
            System.exit(2);
        }
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        int status;
        try (BrainWorker worker = new BrainWorker(words[0])) {
            for (int i = 1; i < words.length; i++) {
                byte[] content = Files.readAllBytes(Path.of(words[i]));
                worker.classify(content, words[i], line -> out.println(shown(line)));
            }
            out.println(worker.ready.get("research_use_only"));
            status = worker.end();
        }
        System.exit(status != 0 ? status : refused > 0 ? 100 : 0);
    }

    /** Whether the answer is accepted comes before the answer; never show a label alone. */
    private static String shown(Map<String, Object> line) {
        if (!"ok".equals(line.get("status"))) {
            refused++;
            return line.get("source") + ": error " + BrainWorker.object(line.get("error")).get("code");
        }
        Object decision = line.get("decision");
        if (decision.equals("abstain")) {
            String reasons =
                    ((List<?>) line.get("reasons")).stream().map(String::valueOf).collect(Collectors.joining(", "));
            decision = "abstain (" + reasons + "), nearest";
        }
        return String.format(
                Locale.ROOT, "%s: %s %s %.4f", line.get("source"), decision, line.get("label"), line.get("score"));
    }
}
