// A worker of brain-edge for a host in .NET: docs/stdio.md. Compiles with .NET Framework, Mono and .NET; no package.
// Where System.Text.Json is at hand, JsonDocument reads the lines as well as the reader used here.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using System.Xml;

// A request that was not carried out, or a worker that is gone: then start another, and do not ask it the same again.
public sealed class WorkerException : Exception
{
    public readonly string Code;

    public WorkerException(string code, string message) : base(message) { Code = code; }
}

public sealed class BrainWorker : IDisposable
{
    private sealed class Waiting
    {
        // Continuations run elsewhere, so that the thread that reads goes on reading.
        public readonly TaskCompletionSource<List<XmlElement>> Done =
            new TaskCompletionSource<List<XmlElement>>(TaskCreationOptions.RunContinuationsAsynchronously);
        public readonly List<XmlElement> Lines = new List<XmlElement>();
        public Action<int, int> Progress;
    }

    private readonly Process process;
    private readonly Stream requests;
    private readonly object writing = new object();
    private readonly Dictionary<string, Waiting> waiting = new Dictionary<string, Waiting>();
    private readonly TaskCompletionSource<XmlElement> ready = new TaskCompletionSource<XmlElement>();
    private int lastId;
    private WorkerException gone;

    // program: brain-infer, with its full path.
    public BrainWorker(string program, string options = "")
    {
        process = Process.Start(new ProcessStartInfo(program, "--serve-stdio " + options)
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardOutputEncoding = Encoding.ASCII,
        });
        requests = process.StandardInput.BaseStream; // bytes: no byte order mark, no line ends of Windows
        new Thread(Read) { IsBackground = true, Name = "brain-edge" }.Start();
    }

    // The first line: what the worker is, its limits, labels and model.
    public Task<XmlElement> Ready { get { return ready.Task; } }

    // The lines that `brain-infer --json` prints; a refused image is one, too.
    public Task<List<XmlElement>> Classify(
        byte[] content, string name, Action<int, int> progress = null, CancellationToken stop = default(CancellationToken))
    {
        string id = "" + Interlocked.Increment(ref lastId);
        Waiting asked = new Waiting { Progress = progress };
        lock (waiting)
        {
            if (gone != null) throw gone;
            waiting[id] = asked;
        }
        Say("{\"id\": " + id + ", \"method\": \"classify\", \"name\": " + Quoted(name)
            + ", \"length\": " + content.Length + "}\n", content);
        if (stop.CanBeCanceled)
            stop.Register(() => Say("{\"id\": " + id + ", \"method\": \"cancel\"}\n", new byte[0]));
        return asked.Done.Task;
    }

    // Ends the worker when all is answered; returns its exit status.
    public int End()
    {
        lock (writing) requests.Close();
        process.WaitForExit();
        return process.ExitCode;
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill();
        process.Dispose();
    }

    public static string Text(XmlElement value, string name)
    {
        XmlElement found = value[name];
        return found == null ? "" : found.InnerText;
    }

    private void Say(string line, byte[] content)
    {
        byte[] head = Encoding.ASCII.GetBytes(line);
        try
        {
            lock (writing)
            {
                requests.Write(head, 0, head.Length);
                requests.Write(content, 0, content.Length);
                requests.Flush();
            }
        }
        catch (Exception) { } // it is gone or ended: Read() tells whoever waits
    }

    private void Read()
    {
        try
        {
            for (string line; (line = process.StandardOutput.ReadLine()) != null; ) Heard(Parsed(line));
        }
        catch (Exception error) { Fail(error.Message); }
        Fail("the worker is gone");
    }

    private void Heard(XmlElement heard)
    {
        string kind = Text(heard, "event");
        if (kind == "ready")
        {
            if (!Speaks(heard["versions"])) Fail("the worker speaks no version that is spoken here");
            ready.TrySetResult(heard);
            return;
        }
        if (heard["exit_status"] != null) Fail(Text(heard["error"], "message"));
        Waiting asked;
        string id = Text(heard, "id");
        lock (waiting)
        {
            if (!waiting.TryGetValue(id, out asked)) return; // or a kind of event that is newer than this host
            if (kind == "done" || kind == "error") waiting.Remove(id);
        }
        if (kind == "result") asked.Lines.Add(heard["line"]);
        else if (kind == "progress" && asked.Progress != null)
            asked.Progress(int.Parse(Text(heard, "done")), int.Parse(Text(heard, "total")));
        else if (kind == "done") asked.Done.TrySetResult(asked.Lines);
        else if (kind == "error")
            asked.Done.TrySetException(new WorkerException(Text(heard["error"], "code"), Text(heard["error"], "message")));
    }

    private static bool Speaks(XmlElement versions)
    {
        foreach (XmlNode version in versions.ChildNodes)
            if (version.InnerText == "1") return true;
        return false;
    }

    private void Fail(string why)
    {
        lock (waiting)
        {
            gone = gone ?? new WorkerException("gone", why);
            foreach (Waiting asked in waiting.Values) asked.Done.TrySetException(gone);
            waiting.Clear();
            ready.TrySetException(gone);
        }
    }

    private static XmlElement Parsed(string line)
    {
        XmlDocument document = new XmlDocument();
        using (XmlReader reader = JsonReaderWriterFactory.CreateJsonReader(
            Encoding.ASCII.GetBytes(line), XmlDictionaryReaderQuotas.Max)) document.Load(reader);
        return document.DocumentElement;
    }

    private static string Quoted(string text)
    {
        StringBuilder quoted = new StringBuilder("\"");
        foreach (char one in text)
            quoted.Append(one < ' ' || one > '~' || one == '"' || one == '\\' ? "\\u" + ((int)one).ToString("x4") : "" + one);
        return quoted.Append('"').ToString();
    }
}
