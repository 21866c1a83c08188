// mcs -r:System.Runtime.Serialization -r:System.Xml Classify.cs BrainWorker.cs && mono Classify.exe BRAIN_INFER IMAGE...
// A line for each image. Exit status: 0 all answered, 1 no worker, 2 usage, 100 some refused.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Xml;

public static class Classify
{
    public static int Main(string[] words)
    {
        if (words.Length < 2)
        {
            Console.Error.WriteLine("usage: Classify BRAIN_INFER IMAGE...");
            return 2;
        }
        Console.OutputEncoding = new UTF8Encoding(false);
        try
        {
            using (BrainWorker worker = new BrainWorker(words[0])) return Run(worker, words);
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error.GetBaseException().Message);
            return 1;
        }
    }

    private static int Run(BrainWorker worker, string[] words)
    {
        string notice = BrainWorker.Text(worker.Ready.Result, "research_use_only");
        int refused = 0;
        for (int i = 1; i < words.Length; i++)
        {
            // A host with a window awaits; this one has nothing else to do.
            foreach (XmlElement line in worker.Classify(File.ReadAllBytes(words[i]), words[i]).Result)
            {
                if (BrainWorker.Text(line, "status") != "ok") refused++;
                Console.WriteLine(BrainWorker.Text(line, "source") + ": " + Shown(line));
            }
        }
        Console.WriteLine(notice);
        int status = worker.End();
        return status != 0 ? status : refused > 0 ? 100 : 0;
    }

    // Whether the answer is accepted comes before the answer; never show a label alone.
    private static string Shown(XmlElement line)
    {
        if (BrainWorker.Text(line, "status") != "ok") return "error " + BrainWorker.Text(line["error"], "code");
        string decision = BrainWorker.Text(line, "decision");
        if (decision == "abstain")
        {
            List<string> reasons = new List<string>();
            foreach (XmlNode reason in line["reasons"].ChildNodes) reasons.Add(reason.InnerText);
            decision = "abstain (" + string.Join(", ", reasons) + "), nearest";
        }
        double score = double.Parse(BrainWorker.Text(line, "score"), CultureInfo.InvariantCulture);
        return decision + " " + BrainWorker.Text(line, "label") + " " + score.ToString("F4", CultureInfo.InvariantCulture);
    }
}
