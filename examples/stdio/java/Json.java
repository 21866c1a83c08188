import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A reader of JSON that is enough for this example; a program that has one (Jackson, Gson) uses that. */
final class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** Returns a Map, List, String, Double, Boolean or null. */
    static Object read(String line) {
        return new Json(line).value();
    }

    private Object value() {
        spaces();
        char first = text.charAt(at);
        if (first == '{') return object();
        if (first == '[') return array();
        if (first == '"') return string();
        int start = at;
        while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
        String word = text.substring(start, at);
        if (word.equals("null")) return null;
        return word.equals("true") || word.equals("false") ? (Object) word.equals("true") : Double.valueOf(word);
    }

    private Map<String, Object> object() {
        Map<String, Object> fields = new LinkedHashMap<>();
        at++;
        while (!takes('}')) {
            takes(',');
            spaces();
            String name = string();
            takes(':');
            fields.put(name, value());
        }
        return fields;
    }

    private List<Object> array() {
        List<Object> items = new ArrayList<>();
        at++;
        while (!takes(']')) {
            takes(',');
            items.add(value());
        }
        return items;
    }

    private String string() {
        StringBuilder found = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            char one = text.charAt(at);
            if (one == '\\') {
                one = text.charAt(++at);
                int known = "nrtbf".indexOf(one);
                if (known >= 0) one = "\n\r\t\b\f".charAt(known);
                if (one == 'u') {
                    one = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
                    at += 4;
                }
            }
            found.append(one);
        }
        at++;
        return found.toString();
    }

    private boolean takes(char wanted) {
        spaces();
        if (text.charAt(at) != wanted) return false;
        at++;
        return true;
    }

    private void spaces() {
        while (Character.isWhitespace(text.charAt(at))) at++;
    }
}
